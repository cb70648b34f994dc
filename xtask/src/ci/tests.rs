use super::tally::Tally;
use crate::root;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The packages whose tests make containers.
const AS_ROOT: [&str; 2] = ["kiln-cli", "kiln-sandbox"];

/// Runs every test, doctests included. Tests that need root get it; cargo does not.
pub(super) fn run(workspace: &Workspace, store: &Path, tally: &mut Tally) -> Result<()> {
    let store = store.join("tests");
    let test = |packages: &[&str]| {
        let mut command = workspace.cargo_command(&["test", "--no-fail-fast"]);
        command.args(packages).env("KILN_TEST_STORE", &store);
        command
    };
    if root::is_root() {
        return counted(test(&["--workspace"]), tally);
    }
    let [one, two] = AS_ROOT;
    let unprivileged = counted(test(&["--workspace", "--exclude", one, "--exclude", two]), tally);
    let mut privileged = test(&["--package", one, "--package", two]);
    privileged.args(["--config", RUNNER]);
    unprivileged.and(counted(privileged, tally))
}

/// Cargo compiles as this user and runs test programs through this.
const RUNNER: &str = "target.'cfg(all())'.runner = ['sudo', '--preserve-env']";

/// Runs a test command, shows its output as it comes, and counts.
fn counted(mut command: Command, tally: &mut Tally) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let before = tally.failed;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("cannot read the output of the tests")?;
            let line = String::from_utf8_lossy(&line);
            tally.read(&line);
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
    let status = child.wait().context("cannot run cargo")?;
    match tally.failed - before {
        0 if status.success() => Ok(()),
        0 => bail!("cargo test ended with {status}"),
        failed => bail!("{failed} tests failed"),
    }
}
