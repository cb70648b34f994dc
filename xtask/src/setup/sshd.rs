use super::{Need, ensure};
use crate::{programs, root};
use anyhow::Result;
use std::process::Stdio;

const SSHD: Need = Need {
    any_of: &["sshd"],
    package: "openssh-server",
    reason: "the server that SSH is tested and measured against",
};

/// Makes sure of OpenSSH's server, which is then started on loopback, apart from the machine's: that one is left as
/// it is, and one that is only installed for us is never started.
///
/// # Errors
/// When it is missing and cannot, or may not, be installed.
pub(crate) fn ssh_server(yes: bool) -> Result<()> {
    if SSHD.is_met() {
        return Ok(());
    }
    ensure(std::iter::once(&SSHD), yes)?;
    if programs::find("systemctl").is_some() {
        // Its package has it start with the machine.
        let mut disable = root::command("systemctl")?;
        disable.args(["disable", "--quiet", "ssh.service", "ssh.socket"]);
        disable.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    }
    Ok(())
}
