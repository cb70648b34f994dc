use crate::diag::{self, Sink};
use crate::schema::Input;
use kiln_rules as rules;
use std::path::{Path, PathBuf};
use syn::LitStr;

/// The files that recipes name.
pub(crate) struct Inputs {
    /// What their paths are relative to; `None`: unknown, and nothing is checked.
    root: Option<PathBuf>,
}

/// What an input is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    File,
    Directory,
}

impl Inputs {
    /// Those of the crate that is being compiled.
    pub(crate) fn of_this_crate() -> Self {
        Self { root: std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) }
    }

    /// None: every input counts as there.
    #[cfg(test)]
    pub(crate) fn unchecked() -> Self {
        Self { root: None }
    }

    /// Checks that an input is there and of the kind expected.
    pub(super) fn check(&self, path: &LitStr, expected: Input, sink: &mut Sink) {
        let text = path.value();
        if sink.check(path, rules::source(&text)).is_none() {
            return;
        }
        let Some(root) = &self.root else { return };
        let Some(found) = self.found(&text) else {
            let near = near(root, &text);
            return sink.error(path, diag::missing_input(&text, near));
        };
        match (expected, found) {
            (Input::File | Input::Template, Found::Directory) => {
                sink.error(path, diag::wrong_input(&text, "a file", "a directory"));
            }
            (Input::Directory, Found::File) => {
                sink.error(path, diag::wrong_input(&text, "a directory", "a file"));
            }
            _ => {}
        }
    }

    /// What is there; `None`: nothing, or it is not known.
    pub(super) fn found(&self, path: &str) -> Option<Found> {
        // A link counts as a file, wherever it leads: it is copied as a link.
        let found = self.root.as_ref()?.join(path).symlink_metadata().ok()?;
        Some(if found.is_dir() { Found::Directory } else { Found::File })
    }

    /// The text of a file that is there.
    pub(super) fn read(&self, path: &str) -> Option<std::io::Result<String>> {
        rules::source(path).ok()?;
        let full = self.root.as_ref()?.join(path);
        full.is_file().then(|| std::fs::read_to_string(full))
    }
}

/// The path whose last component is nearest to the one named.
fn near(root: &Path, text: &str) -> Option<String> {
    let trimmed = text.trim_end_matches('/');
    let (parent, name) =
        trimmed.rsplit_once('/').map_or(("", trimmed), |(parent, name)| (parent, name));
    let entries = root.join(parent).read_dir().ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let near = rules::nearest(name, names)?;
    let slash = &text[trimmed.len()..];
    Some(if parent.is_empty() {
        format!("{near}{slash}")
    } else {
        format!("{parent}/{near}{slash}")
    })
}
