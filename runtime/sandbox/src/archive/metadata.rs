use super::EPOCH;
use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

/// The extended attribute by which the overlay file system marks a directory that hides those below it.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";

/// Owner, mode and attributes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub uid: u32,
    pub gid: u32,
    /// The 12 low bits.
    pub mode: u32,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Metadata {
    /// Of a directory that nobody described.
    pub(crate) fn directory() -> Self {
        Self { uid: 0, gid: 0, mode: 0o755, xattrs: BTreeMap::new() }
    }

    /// Of the file `name` in `parent`, links not followed.
    pub(crate) fn of(parent: impl AsFd, name: &[u8], stat: &Stat) -> rustix::io::Result<Self> {
        let xattrs = attributes(parent, name)?;
        Ok(Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, xattrs })
    }

    /// Gives it to the file `name` in `parent`, links not followed, and the time of all files with it.
    ///
    /// The order matters: a change of owner clears the set-user-ID bit and the capabilities.
    pub(crate) fn apply(
        &self,
        parent: impl AsFd,
        name: &[u8],
        kind: FileType,
    ) -> rustix::io::Result<()> {
        let parent = parent.as_fd();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        if kind != FileType::Symlink {
            // `fchmodat` follows links: the caller has just made this file, and it is none.
            rustix::fs::chmodat(parent, name, Mode::from_raw_mode(self.mode), AtFlags::empty())?;
        }
        for (key, value) in &self.xattrs {
            rustix::fs::lsetxattr(
                through(parent, name),
                OsStr::from_bytes(key),
                value,
                XattrFlags::empty(),
            )?;
        }
        rustix::fs::utimensat(parent, name, &times(), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// The times of every file.
pub(crate) fn times() -> Timestamps {
    let epoch = Timespec { tv_sec: EPOCH, tv_nsec: 0 };
    Timestamps { last_access: epoch, last_modification: epoch }
}

/// The path of `name` in an open directory, for system calls that take no directory. The link in
/// `/proc` leads to the directory that is open, wherever it is; only `name` is looked up.
pub(crate) fn through(parent: impl AsFd, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

fn attributes(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let path = through(parent, name);
    let names = whole(|buffer| rustix::fs::llistxattr(&path, buffer));
    let names = match names {
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        names => names?,
    };
    let mut attributes = BTreeMap::new();
    for key in names.split(|byte| *byte == 0).filter(|key| !key.is_empty()) {
        let value = whole(|buffer| rustix::fs::lgetxattr(&path, OsStr::from_bytes(key), buffer))?;
        attributes.insert(key.to_vec(), value);
    }
    Ok(attributes)
}

/// Reads with a buffer that grows to the most that Linux has for attributes.
fn whole(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = [0; 512];
    match read(&mut buffer) {
        Ok(length) => return Ok(buffer[..length].to_vec()),
        Err(Errno::RANGE) => {}
        Err(error) => return Err(error),
    }
    let mut buffer = vec![0; 1 << 16];
    let length = read(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}
