//! `cargo xtask ci`: what CI runs, in one command that stops at the first failure.

mod end_to_end;
mod lab;
mod needs;
mod options;
mod stage;
mod tally;
mod tests;
mod tools;

use crate::setup::{self, HOST};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use lab::Lab;
use options::Wanted;
use stage::Stages;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Where CI keeps what it bakes, apart from the user's store.
const STORE: &str = "/var/tmp/kiln-ci";

/// Runs every stage. The last line of standard output is `N passed, N failed`.
pub(crate) fn execute(
    workspace: &Workspace,
    arguments: &[OsString],
    yes: bool,
) -> Result<ExitCode> {
    if options::parse(arguments)? == Wanted::Help {
        writeln!(std::io::stdout().lock(), "{}", options::USAGE)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stages = Stages::new();
    let outcome = all(workspace, yes, &mut stages);
    Ok(stages.finish(outcome))
}

fn all(workspace: &Workspace, yes: bool, stages: &mut Stages) -> Result<()> {
    let cargo = |arguments: &[&str]| workspace.cargo_command(arguments);
    let lab = stages.run("set-up", |_| {
        setup::ensure(HOST.iter().chain(needs::TESTS).chain(crate::lab::NEEDS), yes)?;
        setup::ssh_server(yes)?;
        tools::ensure(workspace)?;
        Lab::prepare(workspace)
    })?;
    stages.run("fmt", |_| succeeds(cargo(&["fmt", "--all", "--check"])))?;
    // With `doc` the only ones for which EC2's SDK is compiled unoptimised, and then it is only checked.
    stages.run("clippy", |_| {
        let lints = ["--", "--deny", "warnings"];
        succeeds(cargo(&[&["clippy", "--workspace", "--all-targets"][..], &lints].concat()))
    })?;
    stages.run("doc", |_| {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "--deny warnings");
        succeeds(doc)
    })?;
    stages.run("test", |tally| tests::run(workspace, &store(), tally))?;
    stages.run("deny", |_| tools::deny(workspace))?;
    stages.run("advisories", |_| tools::advisories(workspace))?;
    stages.run("end to end", |tally| end_to_end::run(workspace, &store(), tally))?;
    stages.run("lab", |tally| lab.unit(tally))?;
    stages.run("acceptance of the lab", |tally| lab.acceptance(tally))?;
    stages.run("ec2", |tally| lab.ec2(workspace, tally))?;
    // The examples, as a user sees them deployed, changed and rolled back.
    stages.run("rehearsal", |_| {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut rehearse = Command::new(program);
        rehearse.args(["rehearse", "--yes"]).current_dir(workspace.root());
        succeeds(rehearse)
    })
}

fn store() -> PathBuf {
    std::env::var_os("KILN_STORE").map_or_else(|| STORE.into(), PathBuf::from)
}

fn succeeds(mut command: Command) -> Result<()> {
    // Nobody is there to answer.
    let status = command.stdin(std::process::Stdio::null()).status()?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}
