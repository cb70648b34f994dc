//! Doing as root what needs root, and nothing else.

use crate::programs;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// What of the environment means something to the programs that are run as root. `sudo` drops the rest.
const PASSED_ON: [&str; 12] = [
    "NO_COLOR",
    "TERM",
    "COLORTERM",
    "RUST_BACKTRACE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    // A process owns its directory in /proc by its effective user (proc(5)).
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// A command that runs as root: itself, or through `sudo`.
///
/// # Errors
/// When this user is not root and there is no `sudo`.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let Some(sudo) = programs::find("sudo") else {
        bail!(
            "`{}` needs root, and there is no `sudo`\nhelp: run `cargo xtask` as root",
            program.as_ref().display()
        );
    };
    let mut command = Command::new(sudo);
    let set: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("KILN_") || PASSED_ON.contains(&name.as_str()))
        .collect();
    if !set.is_empty() {
        command.arg(format!("--preserve-env={}", set.join(",")));
    }
    command.arg("--").arg(program);
    Ok(command)
}
