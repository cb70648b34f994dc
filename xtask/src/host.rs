//! Runs the host that a command needs on what the recipes print.

use crate::document::Document;
use crate::drivers::{Drivers, is_of_deployments};
use crate::fresh::{self, Program};
use crate::invocation::Invocation;
use crate::workspace::Workspace;
use crate::{root, say, setup, store};
use anyhow::{Context, Result};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, ExitStatus};

/// The commands that make containers and mounts where images are baked on this machine.
const BUILDS: [&str; 4] = ["bake", "test", "update", "export"];

/// Those that look into the store, which root alone may read where images were baked on this machine: they
/// hold secrets of their owners.
const READS_STORE: [&str; 3] = ["plan", "explain", "gc"];

/// Those for which it does not matter who builds.
const NO_DRIVER: [&str; 3] = ["export", "check", "graph"];

const LOCAL: Program = Program {
    name: "kiln-host",
    profile: "release",
    build: &["build", "--release", "--package", "kiln-cli", "--bin", "kiln-host"],
};

/// It reaches the SDK of EC2, which takes minutes to compile: only who names EC2 waits for it.
pub(crate) const EC2: Program = Program {
    name: "kiln-host-ec2",
    profile: "release",
    build: &["build", "--release", "--package", "kiln-host-ec2", "--bin", "kiln-host-ec2"],
};

/// What `xtask` adds to the host's commands.
const OWN: &str = "
Commands for this checkout:
  ci       Run everything that CI runs
  bench    Measure, beside other tools
  lab      Bring up an EC2 on this machine: `cargo xtask lab --help`
  rehearse Deploy your recipes in a lab: `cargo xtask rehearse --help`

EC2:
  For deployments, and for images whose recipe says `builder: ec2` or with `--builder ec2` or KILN_BUILDER=ec2, the
  host with EC2's driver is compiled, once and for some minutes. It takes credentials and region as every AWS tool
  does, and needs no root: unless you are root, or `--store` or KILN_STORE says otherwise, its store is
  $XDG_DATA_HOME/kiln, or ~/.local/share/kiln.
";

/// Hands the Document to the host and becomes it: signals and the exit code are the host's own.
pub(crate) fn run(
    workspace: &Workspace,
    invocation: &Invocation,
    command: Option<&str>,
) -> Result<ExitCode> {
    let is_one_of = |list: &[&str]| command.is_some_and(|command| list.contains(&command));
    let named = invocation.builder().map(|builder| Drivers::named(&builder)).transpose()?;
    let mut document = Document::make(workspace)?;
    let drivers = match named {
        // What is exported are layers that lie here; recipes are checked and drawn without any driver.
        _ if is_one_of(&NO_DRIVER) => Drivers::Local,
        named => {
            let (text, names) = (document.text()?, invocation.images());
            match named {
                _ if is_of_deployments(command, &text, &names) => Drivers::Ec2,
                Some(drivers) => drivers,
                None => Drivers::of(&text, &names),
            }
        }
    };
    let is_here = match drivers {
        Drivers::Local => true,
        // It cleans up there alone.
        Drivers::Several => !is_one_of(&["gc"]),
        Drivers::Ec2 => false,
    };
    let as_root = is_here && (is_one_of(&BUILDS) || is_one_of(&READS_STORE));
    if as_root {
        // Before the host is built: there may be no way.
        root::command(LOCAL.name)?;
        if is_one_of(&BUILDS) {
            setup::ensure(setup::HOST.iter(), invocation.yes())?;
        }
    }
    let program = if drivers == Drivers::Local { &LOCAL } else { &EC2 };
    if drivers != Drivers::Local && !workspace.profile(EC2.profile).join(EC2.name).exists() {
        say::line("compiling the host with EC2's driver: some minutes, once");
    }
    let host = fresh::ensure(workspace, program)?;
    let mut host = if as_root { root::command(host)? } else { Command::new(host) };
    if !is_here
        && !invocation.names_store()
        && let Some(store) = store::of_user()
    {
        host.env("KILN_STORE", store);
    }
    // Origins and kiln.lock are relative to the workspace.
    host.args(invocation.arguments()).stdin(document.into_file()).current_dir(workspace.root());
    Err(host.exec()).context("cannot run the host")
}

/// Shows the host's help, usage or version, and below it what `xtask` adds.
pub(crate) fn help(workspace: &Workspace, invocation: &Invocation) -> Result<ExitCode> {
    let arguments = invocation.arguments();
    let host = fresh::ensure(workspace, &LOCAL)?;
    let status = Command::new(&host).args(arguments).status().context("cannot run the host")?;
    let general = !arguments.iter().any(|a| a == "--version" || a == "-V")
        && arguments.iter().all(|a| a.as_encoded_bytes().starts_with(b"-"));
    if general && status.success() {
        let _ = std::io::stdout().lock().write_all(OWN.as_bytes());
    } else if general {
        say::line(OWN.trim_end());
    }
    Ok(code(status))
}

fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
