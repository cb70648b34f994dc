use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Not `/tmp`, which may be memory: disks are compared here.
const ABOVE: &str = "/var/tmp";
const NAME: &str = "kiln-bench-";

/// The directory of a place in which another file system may be mounted.
pub(super) const MOUNTED: &str = "mounted";

/// A directory for one benchmark, gone when it ends, and when the next begins if it was killed.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new() -> Result<Self> {
        sweep()?;
        let path = Path::new(ABOVE).join(format!("{NAME}{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A new directory in it.
    pub(super) fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What remains is swept by the next benchmark.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what benchmarks left that were killed. Their daemons died with them.
fn sweep() -> Result<()> {
    for entry in std::fs::read_dir(ABOVE).context("cannot list `/var/tmp`")?.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let dead = |pid: &str| !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && dead(pid)) {
            let path = entry.path();
            // Where nothing is mounted it says so, and that is as well.
            let _ = Command::new("umount").arg("-q").arg(path.join(MOUNTED)).output();
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}
