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
        .filter(|name| is_passed_on(name))
        .collect();
    if !set.is_empty() {
        command.arg(format!("--preserve-env={}", set.join(",")));
    }
    command.arg("--").arg(program);
    Ok(command)
}

/// Kiln's own variables, those of the SDKs of AWS and of pip, and [`PASSED_ON`].
fn is_passed_on(name: &str) -> bool {
    ["KILN_", "AWS_", "PIP_"].iter().any(|prefix| name.starts_with(prefix))
        || PASSED_ON.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_aws_and_what_is_ours_are_passed_on_and_nothing_unknown() {
        for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL", "KILN_STORE", "TERM"] {
            assert!(is_passed_on(name), "{name}");
        }
        for name in ["LD_PRELOAD", "PATH", "HOME", "AWSOME"] {
            assert!(!is_passed_on(name), "{name}");
        }
    }
}
