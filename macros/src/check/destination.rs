use super::Inputs;
use super::input::Found;
use super::keys::Seen;
use crate::diag::{self, Sink};
use syn::LitStr;

/// The files that the steps of an image write, as far as literals say.
///
/// Only files: trees are laid over one another, and a directory that is there already is no mistake.
#[derive(Default)]
pub(super) struct Destinations {
    /// The layer whose steps are being checked.
    pub(super) layer: String,
    written: Vec<Written>,
}

struct Written {
    path: String,
    step: String,
    layer: String,
}

impl Destinations {
    /// Notes what a step writes, and reports a file that an earlier step wrote.
    pub(super) fn step(
        &mut self,
        step: &str,
        source: Option<&LitStr>,
        dest: Option<&LitStr>,
        options: &Seen,
        inputs: &Inputs,
        sink: &mut Sink,
    ) {
        let Some(dest) = dest else { return };
        let text = dest.value();
        let path = match step {
            "template" => into(&text, source),
            "copy" if source.and_then(|path| inputs.found(&path.value())) == Some(Found::File) => {
                into(&text, source)
            }
            "file" if options.has("content") || options.has("link") => Some(text),
            "unit" => Some(format!("/etc/systemd/system/{text}")),
            _ => None,
        };
        let Some(path) = path else { return };
        if let Some(first) = self.written.iter().find(|written| written.path == path) {
            sink.error(dest, diag::duplicate_destination(&path, &first.step, &first.layer));
            return;
        }
        self.written.push(Written { path, step: step.to_owned(), layer: self.layer.clone() });
    }
}

/// Where a file goes: `dest`, or into it under its own name when `dest` ends in `/`.
fn into(dest: &str, source: Option<&LitStr>) -> Option<String> {
    if !dest.ends_with('/') {
        return Some(dest.to_owned());
    }
    let source = source?.value();
    source.rsplit('/').next().map(|name| format!("{dest}{name}"))
}
