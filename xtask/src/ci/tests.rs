use super::lab::REACH_EC2;
use super::tally::Tally;
use crate::root;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The packages whose tests make containers, or log in as any user.
const AS_ROOT: [&str; 3] = ["kiln-cli", "kiln-sandbox", "kiln-ssh"];

/// Runs every test but those that reach EC2, doctests included. Tests that need root get it; cargo does not.
pub(super) fn run(workspace: &Workspace, store: &Path, tally: &mut Tally) -> Result<()> {
    let store = store.join("tests");
    let test = |option: &'static str, packages: &[&'static str]| {
        let mut command = workspace.cargo_command(&["test", "--no-fail-fast"]);
        command.args(packages.iter().flat_map(|package| [option, package]));
        command.env("KILN_TEST_STORE", &store);
        command
    };
    let mut all = test("--exclude", &REACH_EC2);
    all.arg("--workspace");
    if root::is_root() {
        return counted(all, tally);
    }
    all.args(AS_ROOT.iter().flat_map(|package| ["--exclude", package]));
    let unprivileged = counted(all, tally);
    let mut privileged = test("--package", &AS_ROOT);
    privileged.args(["--config", RUNNER]);
    unprivileged.and(counted(privileged, tally))
}

/// Cargo compiles as this user and runs test programs through this.
pub(super) const RUNNER: &str = "target.'cfg(all())'.runner = ['sudo', '--preserve-env']";

/// Runs a test command, shows its output as it comes, and counts. Cargo's tests report on standard output,
/// Python's on standard error.
pub(super) fn counted(mut command: Command, tally: &mut Tally) -> Result<()> {
    let shown = command.get_program().display().to_string();
    let (output, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run `{shown}`"))?;
    // Its ends of the pipe, which would keep the output open.
    drop(command);
    let before = *tally;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read the output of the tests")?;
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
    let status = child.wait().with_context(|| format!("cannot run `{shown}`"))?;
    match tally.failed - before.failed {
        0 if status.success() && *tally == before => bail!("there were no tests"),
        0 if status.success() => Ok(()),
        0 => bail!("`{shown}` ended with {status}"),
        failed => bail!("{failed} tests failed"),
    }
}
