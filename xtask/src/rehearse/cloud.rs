use crate::lab::Places;
use crate::say;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The lab of rehearsals. There is one at a time.
pub(super) const NAME: &str = "rehearsal";

/// A lab of this rehearsal's own, down when this is dropped unless it is kept.
pub(super) struct Cloud {
    /// This program.
    program: PathBuf,
    environment: Vec<(String, String)>,
    keep: bool,
}

impl Cloud {
    /// Whether there is none: then nothing is taken from another rehearsal.
    ///
    /// # Errors
    /// When one is up.
    pub(super) fn free() -> Result<()> {
        if Places::new().is_up(NAME) {
            bail!(
                "the lab of another rehearsal is up: one that was kept or killed, or that goes on\n\
                 help: `cargo xtask lab down --name {NAME}` ends it"
            );
        }
        Ok(())
    }

    /// Brings it up. It says itself what the machine lacks.
    ///
    /// # Errors
    /// When it does not come up, or one is up.
    pub(super) fn up(program: PathBuf, region: Option<&str>, yes: bool) -> Result<Self> {
        let mut up = lab(&program, "up");
        up.args(region.into_iter().flat_map(|region| ["--region", region]));
        up.args(yes.then_some("--yes"));
        // From here on it may be there, whatever comes.
        let mut cloud = Self { program, environment: Vec::new(), keep: false };
        let said = up.stdout(Stdio::piped()).spawn().context("cannot run `cargo xtask lab`")?;
        let said = said.wait_with_output().context("cannot hear the lab")?;
        super::interrupt::check()?;
        ensure!(said.status.success(), "the lab did not come up");
        cloud.environment = variables(&String::from_utf8_lossy(&said.stdout));
        Ok(cloud)
    }

    /// Points a command at it, and at nothing of the user's.
    pub(super) fn point(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Leaves it up.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Cloud {
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

/// Of lines like `export NAME=value`.
fn variables(exports: &str) -> Vec<(String, String)> {
    let assignments = exports.lines().filter_map(|line| line.strip_prefix("export "));
    let pairs = assignments.filter_map(|assignment| assignment.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
