//! Who holds a lock.

use anyhow::{Context, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The process that holds a lock of flock(2) on a file. `None` when nobody does, or there is no such file.
///
/// # Errors
/// When the kernel's list cannot be read.
pub(crate) fn of(path: &Path) -> Result<Option<u32>> {
    let Ok(meta) = path.metadata() else { return Ok(None) };
    let locks = std::fs::read_to_string("/proc/locks").context("cannot read `/proc/locks`")?;
    Ok(holder(&locks, meta.dev(), meta.ino()))
}

/// Of the lines of proc(5), `locks`: `1: FLOCK  ADVISORY  WRITE 583 08:01:1235 0 EOF`. Who waits for a lock is
/// listed with `->` before the kind.
fn holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    // makedev(3): twelve bits and twenty of each are in use on Linux.
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, of, ..] if of == file => pid.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn who_holds_a_lock_is_found_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(of(&path).unwrap(), None);
        let file = File::create(&path).unwrap();
        assert_eq!(of(&path).unwrap(), None);
        file.lock().unwrap();
        assert_eq!(of(&path).unwrap(), Some(std::process::id()));
        drop(file);
        assert_eq!(of(&path).unwrap(), None);
    }

    #[test]
    fn who_waits_and_who_locks_otherwise_is_no_holder() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 22 fe:00:99 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 33 fe:00:99 0 EOF\n";
        assert_eq!(holder(locks, 0xfe00, 99), Some(22));
        assert_eq!(holder(locks, 0xfe00, 77), None);
        assert_eq!(holder(locks, 0xfd00, 99), None);
    }
}
