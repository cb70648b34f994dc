//! Runs the recipes, and the host on what they print.

use crate::fresh::{self, Program};
use crate::workspace::Workspace;
use crate::{root, say};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

/// The commands of the host that make containers and mounts.
pub(crate) const BUILDS: [&str; 4] = ["bake", "test", "update", "export"];

/// Those that look into the store, which root alone may read: images hold secrets of their owners.
pub(crate) const READS_STORE: [&str; 2] = ["plan", "explain"];

const RECIPES: Program = Program {
    name: "recipes",
    profile: "debug",
    build: &["build", "--package", "recipes", "--bin", "recipes"],
};

const HOST: Program = Program {
    name: "kiln-host",
    profile: "release",
    build: &["build", "--release", "--package", "kiln-cli", "--bin", "kiln-host"],
};

/// What `xtask` adds to the host's commands.
const OWN_COMMANDS: &str = "
Commands for this checkout:
  ci       Run everything that CI runs
  bench    Measure, beside BuildKit and buildah
";

/// Runs the host as this user. Returns only when it cannot be started.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    become_host(workspace, |host| Ok(Command::new(host)), arguments)
}

/// Runs the host as root. Cargo and the recipes run as this user all the same.
pub(crate) fn run_as_root(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    // Before anything is built: there may be no way.
    root::command("kiln-host")?;
    become_host(workspace, |host| root::command(host), arguments)
}

/// Shows the host's help, usage or version, and below it what `xtask` adds.
pub(crate) fn help(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    let host = fresh::ensure(workspace, &HOST)?;
    let status = Command::new(&host).args(arguments).status().context("cannot run the host")?;
    let general = !arguments.iter().any(|a| a == "--version" || a == "-V")
        && arguments.iter().all(|a| a.as_encoded_bytes().starts_with(b"-"));
    if general && status.success() {
        let _ = std::io::stdout().lock().write_all(OWN_COMMANDS.as_bytes());
    } else if general {
        say::line(OWN_COMMANDS.trim_end());
    }
    Ok(code(status))
}

/// Hands the Document to the host and becomes it: signals and the exit code are the host's own.
fn become_host(
    workspace: &Workspace,
    as_whom: impl FnOnce(&Path) -> Result<Command>,
    arguments: &[OsString],
) -> Result<ExitCode> {
    let document = document(workspace)?;
    let host = fresh::ensure(workspace, &HOST)?;
    let mut command = as_whom(&host)?;
    // Origins and kiln.lock are relative to the workspace.
    command.args(arguments).stdin(document).current_dir(workspace.root());
    Err(command.exec()).context("cannot run the host")
}

/// What the recipes print, as a file without a name: the host may start reading when all of it is there.
fn document(workspace: &Workspace) -> Result<File> {
    let recipes = fresh::ensure(workspace, &RECIPES)?;
    let path = workspace.scratch()?.join(format!("document-{}", std::process::id()));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .with_context(|| format!("cannot make `{}`", path.display()))?;
    std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    let status = Command::new(recipes)
        .current_dir(workspace.root())
        .stdout(file.try_clone().context("cannot share a file")?)
        .status()
        .context("cannot run the recipes")?;
    if !status.success() {
        bail!("the recipes ended with {status} and gave no Document");
    }
    file.rewind().context("cannot read the Document")?;
    Ok(file)
}

fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
