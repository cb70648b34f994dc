//! One run of the builder: what it creates, recorded before it is created, and swept when it died.

mod sweep;

pub(crate) use sweep::sweep;

use crate::cgroup::Cgroup;
use crate::fault::Fault;
use crate::runtime::Runtime;
use kiln_engine::Error;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// `<store>/sandbox/runs/<id>/`: everything that is not an artifact yet lives below it.
///
/// Its name is also that of the run's cgroups. The lock is held as long as the process lives.
#[derive(Debug)]
pub(crate) struct Run {
    dir: PathBuf,
    cgroup: Cgroup,
    runtime: Runtime,
    journal: Mutex<File>,
    counter: AtomicU64,
    _lock: File,
}

impl Run {
    /// Begins a run below `runs`.
    pub(crate) fn begin(runs: &Path, runtime: Runtime) -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .rand_bytes(8)
            .tempdir_in(runs)
            .doing("begin a run in", runs)?
            .keep();
        let lock = dir.join("lock");
        // A sweep that sees the directory before the lock is taken leaves it: it has no lock file yet.
        let staged = dir.join("lock.new");
        let file = File::create(&staged).doing("make", &staged)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).doing("lock", &staged)?;
        std::fs::rename(&staged, &lock).doing("make", &lock)?;
        let journal = dir.join("journal");
        let journal = File::create(&journal).doing("make", &journal)?;
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for part in ["oci", "trash"] {
            let part = dir.join(part);
            std::fs::create_dir(&part).doing("make", &part)?;
        }
        Ok(Self {
            cgroup: Cgroup::of_run(&id),
            dir,
            runtime,
            journal: Mutex::new(journal),
            counter: AtomicU64::new(0),
            _lock: file,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The directory in which the OCI runtime keeps the state of this run's containers.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("oci")
    }

    pub(crate) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// A name that is unique in this run.
    pub(crate) fn name(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// A fresh directory of the run.
    pub(crate) fn make_dir(&self, prefix: &str) -> Result<PathBuf, Error> {
        let dir = self.dir.join(self.name(prefix));
        std::fs::create_dir(&dir).doing("make", &dir)?;
        Ok(dir)
    }

    /// Removes a tree, out of the way at once: it is renamed first.
    pub(crate) fn discard(&self, tree: &Path) -> Result<(), Error> {
        let trash = self.dir.join("trash").join(self.name("t"));
        match std::fs::rename(tree, &trash) {
            Ok(()) => std::fs::remove_dir_all(&trash).doing("remove", &trash),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(_) => std::fs::remove_dir_all(tree).doing("remove", tree),
        }
    }

    /// The identity of a container that is about to be created: unique on this machine, and recorded.
    pub(crate) fn record_container(&self, prefix: &str) -> Result<String, Error> {
        let run = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let id = format!("kiln-{run}-{}", self.name(prefix));
        let mut journal = self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(journal, "container {id}").doing("write the journal of", &self.dir)?;
        Ok(id)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cgroup.remove();
        let _the_next_run_tries_again = sweep::remove_dir(&self.dir);
    }
}
