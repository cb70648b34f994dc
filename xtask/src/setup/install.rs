use crate::{programs, root};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fmt;
use std::process::{Command, Stdio};

/// The commands that install packages.
pub(super) struct Plan(Vec<Command>);

impl Plan {
    /// # Errors
    /// When this machine has no apt, or this user no way to become root.
    pub(super) fn new(packages: &[&str]) -> Result<Self> {
        if programs::find("apt-get").is_none() {
            bail!(
                "only apt is known here, and there is no `apt-get`\n\
                 help: install by other means what Debian calls: {}",
                packages.join(" ")
            );
        }
        // A failed index is no error for apt unless told.
        let update = apt(&["-o", "APT::Update::Error-Mode=any", "update"], &[])?;
        // A new machine may still be busy upgrading itself.
        let wait = ["-o", "DPkg::Lock::Timeout=300"];
        let install = [&["install", "--yes", "--no-install-recommends"][..], &wait].concat();
        let install = apt(&install, packages)?;
        Ok(Self(vec![update, install]))
    }

    /// # Errors
    /// When a command fails; it has said why.
    pub(super) fn run(self) -> Result<()> {
        for mut command in self.0 {
            let shown = show(&command);
            // Standard output is the host's, standard input may be a pipe of the user's.
            command.stdin(Stdio::null()).stdout(std::io::stderr());
            let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
            if !status.success() {
                bail!("`{shown}` failed with {status}");
            }
        }
        Ok(())
    }
}

fn apt(arguments: &[&str], packages: &[&str]) -> Result<Command> {
    let mut command = root::command("env")?;
    // Nobody asked for a running service, and `SYSTEMD_OFFLINE` keeps `systemctl` from starting one. Without
    // systemd, Debian's packages start none unless a policy says so.
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "SYSTEMD_OFFLINE=1", "apt-get", "-q"])
        .args(arguments)
        .args(packages);
    Ok(command)
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.0.iter().map(|command| format!("  {}", show(command))).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_index_is_an_error_and_nothing_is_asked() {
        let text = Plan::new(&["crun", "mmdebstrap"]).expect("tests run on Debian").to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("apt-get -q -o APT::Update::Error-Mode=any update"), "{text}");
        let install = "apt-get -q install --yes --no-install-recommends";
        assert!(lines[1].contains(install) && lines[1].ends_with(" crun mmdebstrap"), "{text}");
    }
}
