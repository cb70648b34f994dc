use super::entry_path::shown;
use super::sparse::SparseMap;
use kiln_engine::Error;
use std::collections::BTreeMap;

/// One member of an archive, its headers read and checked but not its name.
#[derive(Debug)]
pub(crate) struct Member {
    /// Where its first header begins, in bytes of the uncompressed archive.
    pub position: u64,
    /// As the archive has it.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The 12 low bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a [`Member`] is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A regular file: its content follows.
    File,
    /// A regular file with holes: the content of the other parts follows.
    Sparse(SparseMap),
    /// Another name of an earlier member.
    HardLink(Vec<u8>),
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A character device: major, minor.
    CharDevice(u32, u32),
    /// A block device: major, minor.
    BlockDevice(u32, u32),
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

impl Member {
    /// The member breaks a rule: `why` continues "member `x` at byte 512 …".
    pub(crate) fn refused(&self, why: impl AsRef<str>) -> Error {
        refused(&self.name, self.position, why)
    }
}

/// See [`Member::refused`].
pub(crate) fn refused(name: &[u8], position: u64, why: impl AsRef<str>) -> Error {
    Error::input(format!("member `{}` at byte {position} {}", shown(name), why.as_ref()))
        .help("the archive is damaged or was made to do harm; nothing of it was kept")
}

/// The archive itself is broken at this byte of its uncompressed content.
pub(crate) fn broken(position: u64, why: impl AsRef<str>) -> Error {
    Error::input(format!("broken archive at byte {position}: {}", why.as_ref()))
}
