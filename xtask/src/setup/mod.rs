//! What this machine lacks: found, told, and installed if the user agrees.

mod ask;
mod install;
mod need;
mod sshd;

pub(crate) use need::{HOST, Need};
pub(crate) use sshd::ssh_server;

use crate::say;
use anyhow::{Result, bail};

/// Makes sure of what is needed. With `yes` nothing is asked.
///
/// # Errors
/// When something is missing and cannot, or may not, be installed.
pub(crate) fn ensure<'a>(needs: impl Iterator<Item = &'a Need>, yes: bool) -> Result<()> {
    let missing: Vec<&Need> = needs.filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    say::line("this machine lacks:");
    for need in &missing {
        say::line(&format!("  {:<24} {}", need.package, need.reason));
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let plan = install::Plan::new(&packages)?;
    say::line(&format!("to be run:\n{plan}"));
    if !yes {
        match ask::consent("install them? [y/N] ") {
            Some(true) => {}
            Some(false) => bail!("nothing was installed"),
            None => bail!(
                "there is no terminal to ask on\n\
                 help: run the commands above, or the same command with `--yes`"
            ),
        }
    }
    plan.run()?;
    match missing.into_iter().find(|need| !need.is_met()) {
        Some(need) => bail!("`{}` is installed, and still there is no {need}", need.package),
        None => Ok(()),
    }
}
