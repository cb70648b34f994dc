use super::{Step, options};
use crate::{Command, Lowering, Origin};
use kiln_rules as rules;

/// Runs shell text in the image. See [`run`].
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    origin: Origin,
    script: String,
    running: options::Running,
}

/// Runs text with `/bin/sh -e` in the image: the first command that fails fails the layer.
#[track_caller]
pub fn run(script: impl Into<String>) -> Run {
    Run { origin: Origin::caller(), script: script.into(), running: options::Running::default() }
}

impl Run {
    options::running_methods!();
}

impl Step for Run {
    fn kind(&self) -> &'static str {
        "run"
    }

    fn title(&self) -> String {
        let mut lines = self.script.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let more = if lines.next().is_some() { " …" } else { "" };
        format!("run {first}{more}")
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::command(&self.script));
        let exec = self.running.exec(Command::Shell(self.script), into);
        into.exec(exec);
    }
}
