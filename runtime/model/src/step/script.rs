use super::{Step, options};
use crate::{Command, Lowering, Origin};
use kiln_rules as rules;

/// Runs a script of the recipe in the image. See [`script`].
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    origin: Origin,
    path: String,
    args: Vec<String>,
    running: options::Running,
}

/// Runs a file of the recipe in the image, by its `#!` line. The file is not left in the image.
#[track_caller]
pub fn script(path: impl Into<String>) -> Script {
    Script {
        origin: Origin::caller(),
        path: path.into(),
        args: Vec::new(),
        running: options::Running::default(),
    }
}

impl Script {
    options::running_methods!();

    /// Its arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }
}

impl Step for Script {
    fn kind(&self) -> &'static str {
        "script"
    }

    fn title(&self) -> String {
        format!("script {}", self.path)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::source(&self.path));
        let exec = self.running.exec(Command::Script { path: self.path, args: self.args }, into);
        into.exec(exec);
    }
}
