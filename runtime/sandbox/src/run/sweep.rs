use crate::cgroup::Cgroup;
use crate::fault::Fault;
use crate::runtime::Runtime;
use kiln_engine::Error;
use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, unmount};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Removes what runs that are no more have left: containers, processes, cgroups, mounts, directories.
///
/// A run whose lock is held lives. What cannot be removed stays for the next sweep.
pub(crate) fn sweep(runs: &Path, runtime: &Runtime) -> Result<(), Error> {
    for entry in std::fs::read_dir(runs).doing("read", runs)? {
        let dir = entry.doing("read", runs)?.path();
        let Some(_lock) = lock_of_the_dead(&dir) else { continue };
        let state = dir.join("oci");
        let journal = std::fs::read_to_string(dir.join("journal")).unwrap_or_default();
        for id in journal.lines().filter_map(|line| line.strip_prefix("container ")) {
            if state.join(id).exists() {
                let _its_processes_are_killed_by_their_cgroup = runtime.delete(&state, id);
            }
        }
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Cgroup::of_run(&name).remove() {
            let _the_next_sweep_tries_again = remove_dir(&dir);
        }
    }
    Ok(())
}

/// The lock of a run that died; `None` for one that lives, or that is just beginning.
fn lock_of_the_dead(dir: &Path) -> Option<File> {
    let file = match File::open(dir.join("lock")) {
        Ok(file) => file,
        // Killed between making its directory and its lock: nothing else was made yet.
        Err(_) => {
            let age = dir.metadata().ok()?.modified().ok()?.elapsed().ok()?;
            let abandoned = age > std::time::Duration::from_secs(60);
            return if abandoned { File::open(dir).ok() } else { None };
        }
    };
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// Unmounts what is mounted below a directory, then removes it; never a directory that something is
/// still mounted in.
pub(super) fn remove_dir(dir: &Path) -> std::io::Result<()> {
    let mut mounted = mounts_below(dir)?;
    // Innermost first.
    mounted.sort();
    for target in mounted.iter().rev() {
        unmount(target, UnmountFlags::DETACH)?;
    }
    if !mounts_below(dir)?.is_empty() {
        return Err(std::io::Error::other("something is still mounted"));
    }
    std::fs::remove_dir_all(dir)
}

fn mounts_below(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    // proc(5): the fifth field of a line, with blanks as octal escapes.
    let text = std::fs::read_to_string("/proc/thread-self/mountinfo")?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|path| PathBuf::from(path.replace("\\040", " ").replace("\\134", "\\")))
        .filter(|path| path.starts_with(dir))
        .collect())
}
