use super::{Step, options};
use crate::{Lowering, Origin, Put, Source};
use kiln_rules as rules;

/// States what is at a path in the image. See [`file()`].
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    origin: Origin,
    dest: String,
    content: Option<String>,
    link: Option<String>,
    directory: bool,
    absent: bool,
    placing: options::Placing,
}

/// States what is at a path: text, a directory, a symbolic link, or nothing.
///
/// Exactly one of [`File::content`], [`File::directory`], [`File::link`] and [`File::absent`] says which.
#[track_caller]
pub fn file(dest: impl Into<String>) -> File {
    File {
        origin: Origin::caller(),
        dest: dest.into(),
        content: None,
        link: None,
        directory: false,
        absent: false,
        placing: options::Placing::default(),
    }
}

impl File {
    options::placing_methods!();

    /// A file with this text.
    #[must_use]
    pub fn content(mut self, text: impl Into<String>) -> Self {
        self.content = Some(text.into());
        self
    }

    /// A symbolic link to this target.
    #[must_use]
    pub fn link(mut self, target: impl Into<String>) -> Self {
        self.link = Some(target.into());
        self
    }

    /// A directory. [`File::mode`] is its mode, `0755` unless told.
    #[must_use]
    pub fn directory(mut self, wanted: bool) -> Self {
        self.directory = wanted;
        self
    }

    /// Nothing: what is there is removed, with everything below it.
    #[must_use]
    pub fn absent(mut self, wanted: bool) -> Self {
        self.absent = wanted;
        self
    }
}

impl Step for File {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn title(&self) -> String {
        format!("file {}", self.dest)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::destination(&self.dest));
        let mode = self.placing.mode(into);
        let owner = self.placing.owner(into);
        let put = |source, mode, directory_mode| Put {
            dest: self.dest.clone(),
            source,
            mode,
            directory_mode,
            owner,
        };
        match (self.content, self.link, self.directory, self.absent) {
            (Some(text), None, false, false) => into.put(put(Source::Inline(text), mode, None)),
            (None, Some(target), false, false) => {
                if mode.is_some() {
                    into.problem("a link has no mode of its own", Some("remove `mode`".into()));
                }
                into.put(put(Source::Link(target), None, None));
            }
            (None, None, true, false) => into.put(put(Source::Directory, None, mode)),
            (None, None, false, true) => into.remove(self.dest),
            _ => into.problem(
                format!("`file` needs exactly one of `content`, `directory`, `link` and `absent` for `{}`", self.dest),
                Some("say what is at the path: text, a directory, a link, or nothing".into()),
            ),
        }
    }
}
