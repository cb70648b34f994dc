//! Python packages from a list of pinned ones, in a virtual environment that is made once.

use crate::{root, say};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's own: another one on `PATH` may be a user's, which root must not run.
const PYTHON: &str = "/usr/bin/python3";

/// Written when an environment is complete.
const COMPLETE: &str = "complete";

/// The Python of an environment below `cache` that holds what `requirements` lists; made if there is none of
/// these very bytes and this very Python. Environments of other lists under the same name are removed, unless
/// something runs in them.
///
/// # Errors
/// When it cannot be made; what the commands say has been shown.
pub(crate) fn environment(cache: &Path, name: &str, requirements: &Path) -> Result<PathBuf> {
    let list = std::fs::read(requirements)
        .with_context(|| format!("cannot read `{}`", requirements.display()))?;
    let version = Command::new(PYTHON).arg("--version").output();
    let version = version.with_context(|| format!("cannot run `{PYTHON}`"))?.stdout;
    let prefix = format!("{name}-");
    let own = format!("{prefix}{:016x}", fingerprint(&[&list, &version[..]].concat()));
    let path = cache.join(&own);
    if !path.join(COMPLETE).exists() {
        say::line(&format!("making `{}`", path.display()));
        make(&path, requirements)?;
        let others = std::fs::read_dir(cache)?.flatten().map(|entry| entry.file_name());
        let others = others.filter_map(|other| other.into_string().ok());
        for other in others.filter(|other| other.starts_with(&prefix) && *other != own) {
            let other = cache.join(other);
            if !runs(&other) {
                succeeds(root::command("rm")?.args(["-r", "--one-file-system", "--"]).arg(other))?;
            }
        }
    }
    Ok(path.join("bin/python"))
}

fn make(path: &Path, requirements: &Path) -> Result<()> {
    // `--clear`: what an interrupted run left.
    succeeds(root::command(PYTHON)?.args(["-m", "venv", "--clear"]).arg(path))?;
    let mut install = root::command(path.join("bin/python"))?;
    install.args(["-m", "pip", "--disable-pip-version-check", "--quiet", "--no-cache-dir"]);
    install.args(["install", "--require-virtualenv", "--requirement"]).arg(requirements);
    succeeds(&mut install).context("cannot install Python's packages")?;
    succeeds(root::command("touch")?.arg(path.join(COMPLETE)))
}

fn succeeds(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.get_program());
    // Standard output is for results.
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{command:?} failed with {status}");
    }
    Ok(())
}

/// Whether a process runs the Python of an environment: proc(5), `cmdline`.
fn runs(environment: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let prefix = environment.join("bin").into_os_string().into_encoded_bytes();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| line.starts_with(&prefix))
}

/// FNV-1a of 64 bits: nobody attacks a list of this checkout.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_changed_list_has_another_fingerprint() {
        // From the test vectors of the algorithm's authors.
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
        assert_ne!(fingerprint(b"moto==5.1.1\n"), fingerprint(b"moto==5.1.2\n"));
    }

    #[test]
    fn an_environment_in_which_a_program_runs_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        let python = dir.path().join("bin/python");
        std::os::unix::fs::symlink("/bin/cat", &python).unwrap();
        assert!(!runs(dir.path()));
        let mut cat = Command::new(&python);
        let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        // It answers: so it runs, and not only is about to.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        assert!(runs(dir.path()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!runs(dir.path()));
    }
}
