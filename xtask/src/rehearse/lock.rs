use crate::lab::holder;
use anyhow::{Context, Result, bail};
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// One for the machine, for every checkout and user: rehearsals share the name of their lab. Not where labs are kept:
/// root alone may write there.
const PATH: &str = "/var/tmp/kiln-rehearsal.lock";

/// The right to rehearse. The kernel takes it back when this process ends, also when it is killed; the file stays.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Waits for nobody.
    ///
    /// # Errors
    /// When another rehearsal is running.
    pub(super) fn take() -> Result<Self> {
        Self::at(Path::new(PATH))
    }

    fn at(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = open(path).with_context(|| format!("cannot open `{shown}`"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => match holder::of(path).ok().flatten() {
                Some(pid) => bail!(
                    "another rehearsal is running on this machine, as process {pid}\n\
                     help: wait until it has ended, or end it with `kill {pid}`: it takes its lab down"
                ),
                None => bail!(
                    "another rehearsal is running on this machine: `{shown}` is locked\n\
                     help: wait until it has ended, or press Ctrl-C where it runs"
                ),
            },
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock `{shown}`"))
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do while a program is being started: until it runs, it has the file too.
        let _ = self.file.unlock();
    }
}

/// Opened for reading, which is enough to lock it. An open that may create is refused for a file of another user
/// (`fs.protected_regular`), so that only who finds none creates it.
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match File::create_new(path) {
        Ok(file) => {
            // Also with a umask that keeps others out.
            file.set_permissions(Permissions::from_mode(0o644))?;
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => File::open(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_rehearsal_is_refused_until_the_first_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::at(&path).unwrap();
        let refused = Lock::at(&path).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refused.contains(&format!("is running on this machine, as process {pid}")));
        assert!(refused.contains("\nhelp: "), "{refused}");
        drop(first);
        Lock::at(&path).unwrap();
    }
}
