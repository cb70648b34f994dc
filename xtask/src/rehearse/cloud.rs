use super::environment::Environment;
use crate::lab::Places;
use crate::say;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The lab of rehearsals. There is one at a time.
pub(super) const NAME: &str = "rehearsal";

/// A lab of this rehearsal's own, down when this is dropped unless it is kept.
pub(super) struct Cloud {
    begun: Begun,
    environment: Environment,
}

/// A lab that this rehearsal began to bring up, and ends.
struct Begun {
    /// This program.
    program: PathBuf,
    keep: bool,
}

impl Cloud {
    /// Whether there is none, also none that is just coming up: then nothing of somebody else's is used or taken down.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn free() -> Result<()> {
        if Places::new().is_lived_in(NAME) {
            bail!(
                "lab `{NAME}` is there: a rehearsal that kept it or was killed has left it, or somebody brought it up\n\
                 help: `cargo xtask lab down --name {NAME}` ends it"
            );
        }
        Ok(())
    }

    /// Brings it up. It says itself what the machine lacks.
    ///
    /// # Errors
    /// When it does not come up, one is there, or what it says does not point at it.
    pub(super) fn up(program: PathBuf, region: Option<&str>, yes: bool) -> Result<Self> {
        let mut up = lab(&program, "up");
        up.args(region.into_iter().flat_map(|region| ["--region", region]));
        up.args(yes.then_some("--yes"));
        // Again: a compilation and a copy ago there was none.
        Self::free()?;
        let said = up.stdout(Stdio::piped()).spawn().context("cannot run `cargo xtask lab`")?;
        // From here on it may be there, whatever comes.
        let begun = Begun { program, keep: false };
        let said = said.wait_with_output().context("cannot hear the lab")?;
        super::interrupt::check()?;
        ensure!(said.status.success(), "the lab did not come up");
        let environment = Environment::of_lab(&String::from_utf8_lossy(&said.stdout))?;
        Ok(Self { begun, environment })
    }

    /// Points a command at it, and at nothing of the user's.
    pub(super) fn point(&self, command: &mut Command) {
        self.environment.point(command);
    }

    /// Leaves it up.
    pub(super) fn keep(&mut self) {
        self.begun.keep = true;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if !lab(&self.program, "down").status().is_ok_and(|status| status.success()) {
            say::line(&format!(
                "the lab is still up: end it with `cargo xtask lab down --name {NAME}`"
            ));
        }
    }
}

/// `cargo xtask lab …`.
fn lab(program: &Path, what: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["lab", what, "--name", NAME]).stdin(Stdio::null());
    command
}
