//! Whether a program that cargo built is still what cargo would build, without asking cargo.
//!
//! Asking cargo costs 40 to 100 ms a program. After each build a *stamp* is kept: every file and every
//! environment variable that had a say in it, as they were. While nothing differs, the program is fresh.
//! Whatever is in doubt is left to cargo, which then has the last word.

mod dep_info;
mod influences;
mod stamp;

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use stamp::Stamp;
use std::path::PathBuf;
use std::time::SystemTime;

/// A program of this workspace.
pub(crate) struct Program {
    /// Its file name.
    pub(crate) name: &'static str,
    /// The directory of its profile: `debug` or `release`.
    pub(crate) profile: &'static str,
    /// The arguments that make cargo build it.
    pub(crate) build: &'static [&'static str],
}

/// Builds a program unless it is fresh, and returns its path. Cargo's own messages say what is wrong with
/// the source.
pub(crate) fn ensure(workspace: &Workspace, program: &Program) -> Result<PathBuf> {
    let profile = workspace.profile(program.profile);
    let binary = profile.join(program.name);
    let kept = workspace.scratch()?.join(format!("{}.stamp", program.name));
    if Stamp::read(&kept).is_some_and(|stamp| stamp.holds(workspace.root())) {
        return Ok(binary);
    }
    let started = SystemTime::now();
    let mut cargo = workspace.cargo_command(program.build);
    // Standard output is the host's.
    cargo.stdin(std::process::Stdio::null()).stdout(std::io::stderr());
    let status =
        cargo.status().with_context(|| format!("cannot run `{}`", workspace.cargo().display()))?;
    if !status.success() {
        bail!("cannot build `{}`", program.name);
    }
    let seen = influences::of(workspace, &profile, &binary);
    match seen.and_then(|seen| Stamp::take(workspace.root(), &seen, started)) {
        Some(stamp) => stamp.write(&kept)?,
        // The next run asks cargo again.
        None => drop(std::fs::remove_file(&kept)),
    }
    Ok(binary)
}
