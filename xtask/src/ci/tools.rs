//! Tools of cargo that CI runs, and which a minimal installation lacks.

use super::succeeds;
use crate::workspace::Workspace;
use crate::{programs, say};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Installs what is missing: the toolchain's components, and `cargo-deny`.
pub(super) fn ensure(workspace: &Workspace) -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !answers(workspace.cargo_command(&[subcommand, "--version"])) {
            let rustup = programs::find("rustup");
            let rustup = rustup.with_context(|| format!("this toolchain has no `{component}`"))?;
            let mut command = Command::new(rustup);
            command.args(["component", "add", component]).current_dir(workspace.root());
            succeeds(command).with_context(|| format!("cannot add `{component}`"))?;
        }
    }
    if !answers(cargo_deny(workspace, &["--version"])) {
        say::line("installing `cargo-deny`");
        let mut install =
            workspace.cargo_command(&["install", "--locked", "--debug", "cargo-deny"]);
        // Kept with what CI compiles, and compiled there: the next run has it.
        install.arg("--root").arg(tools(workspace));
        succeeds(install).context("cannot install `cargo-deny`")?;
    }
    Ok(())
}

/// Dependencies that are forbidden, licenses that do not fit, sources that are not the registry.
pub(super) fn deny(workspace: &Workspace) -> Result<()> {
    succeeds(cargo_deny(workspace, &["check", "bans", "licenses", "sources"]))
}

/// Known vulnerabilities, where the database of them can be fetched.
pub(super) fn advisories(workspace: &Workspace) -> Result<()> {
    if !answers(cargo_deny(workspace, &["fetch", "db"])) {
        say::line("not checked: the advisory database cannot be fetched from here");
        return Ok(());
    }
    let mut check = cargo_deny(workspace, &["check", "--disable-fetch", "advisories"]);
    if !check.stdin(Stdio::null()).status()?.success() {
        bail!("a dependency has a known vulnerability");
    }
    Ok(())
}

fn cargo_deny(workspace: &Workspace, arguments: &[&str]) -> Command {
    let own = tools(workspace).join("bin/cargo-deny");
    let of_cargo = || workspace.cargo_command(&["deny"]);
    let mut command = if own.exists() { Command::new(own) } else { of_cargo() };
    command.args(arguments).current_dir(workspace.root());
    command
}

fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target().join("tools")
}

fn answers(mut command: Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
