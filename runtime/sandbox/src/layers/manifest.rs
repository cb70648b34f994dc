use super::EPOCH;
use super::digest;
use crate::fault::Fault;
use kiln_engine::store::{read_checked, write_checked};
use kiln_engine::{Digest, Error};
use rayon::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Stat, Timespec, Timestamps, lgetxattr, llistxattr, lstat, utimensat,
};
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Everything that an upper directory holds, sorted by path, bytewise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerManifest {
    /// `/proc/sys/kernel/random/boot_id` when it was written; empty once the content is known to have
    /// survived a later boot.
    pub(super) boot: String,
    pub(super) entries: Vec<Entry>,
}

/// One file, directory, link, device or whiteout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Relative to the upper directory, in bytes; empty for itself.
    pub(super) path: Vec<u8>,
    pub(super) content: Content,
    /// Permission, set-id and sticky bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Those that belong to the image, sorted by name.
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Tells whether the content may have changed since. Never part of the digest.
    pub(super) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    /// `opaque`: it hides the directory of that name below.
    Directory {
        opaque: bool,
    },
    /// A regular file. Several names of one file are as many files.
    File {
        digest: Digest,
        size: u64,
    },
    Link {
        target: Vec<u8>,
    },
    /// `major` and `minor` 0: a whiteout.
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
    Pipe,
    Socket,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: u64,
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
            ctime: (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or_default()),
            inode: stat.st_ino,
        }
    }
}

/// What a walk does with modification times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// Sets them to [`EPOCH`].
    Set,
    /// Leaves them.
    Leave,
}

impl LayerManifest {
    /// Walks an upper directory, hashing every file.
    pub(super) fn of(root: &Path, times: Times) -> Result<Self, Error> {
        let mut entries = walk(root, &[], times)?;
        entries.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { boot: boot(), entries })
    }

    /// The digest of what the layer changes.
    pub(super) fn digest(&self) -> Digest {
        digest::of(&self.entries)
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        let size = |entry: &Entry| match entry.content {
            Content::File { size, .. } => size,
            _ => 0,
        };
        self.entries.iter().map(size).sum()
    }

    pub(super) fn read(path: &Path) -> Option<Self> {
        postcard::from_bytes(&read_checked(path)?).ok()
    }

    pub(super) fn write(&self, path: &Path, staging: &Path) -> Result<(), Error> {
        let body = postcard::to_stdvec(self).failing("cannot encode the manifest of a layer")?;
        write_checked(staging, path, &body).doing("write", path)
    }
}

/// The number of this boot.
pub(super) fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// The file behind an entry.
pub(super) fn locate(root: &Path, relative: &[u8]) -> PathBuf {
    root.join(OsString::from_vec(relative.to_vec()))
}

fn walk(root: &Path, relative: &[u8], times: Times) -> Result<Vec<Entry>, Error> {
    let dir = locate(root, relative);
    let mut members = Vec::new();
    for member in std::fs::read_dir(&dir).doing("read", &dir)? {
        let member = member.doing("read", &dir)?;
        let is_dir = member.file_type().doing("read", &dir)?.is_dir();
        let mut path = relative.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(member.file_name().as_bytes());
        members.push((path, is_dir));
    }
    let below: Vec<Vec<Entry>> =
        members
            .into_par_iter()
            .map(|(path, is_dir)| {
                if is_dir { walk(root, &path, times) } else { Ok(vec![entry(root, path, times)?]) }
            })
            .collect::<Result<_, _>>()?;
    let mut entries: Vec<Entry> = below.into_iter().flatten().collect();
    // After its members: writing them would change its times.
    entries.push(entry(root, relative.to_vec(), times)?);
    Ok(entries)
}

fn entry(root: &Path, relative: Vec<u8>, times: Times) -> Result<Entry, Error> {
    let path = locate(root, &relative);
    if times == Times::Set {
        let epoch = Timespec { tv_sec: EPOCH, tv_nsec: 0 };
        let epoch = Timestamps { last_access: epoch, last_modification: epoch };
        utimensat(CWD, &path, &epoch, AtFlags::SYMLINK_NOFOLLOW)
            .doing("set the times of", &path)?;
    }
    let stat = lstat(&path).doing("look at", &path)?;
    let mut opaque = false;
    let mut attributes = Vec::new();
    for name in attribute_names(&path)? {
        match name.to_bytes() {
            b"trusted.overlay.opaque" => opaque = attribute(&path, &name)? == b"y",
            // The overlay's own notes on where a file was copied from.
            bytes if bytes.starts_with(b"trusted.overlay.") => {}
            // Labels of the host's security module come and go with the host.
            b"security.selinux" => {}
            bytes => attributes.push((bytes.to_vec(), attribute(&path, &name)?)),
        }
    }
    attributes.sort();
    let content = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Content::Directory { opaque },
        FileType::RegularFile => {
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            Content::File { digest: digest::of_file(&path, size)?, size }
        }
        FileType::Symlink => {
            let target = std::fs::read_link(&path).doing("read", &path)?;
            Content::Link { target: target.into_os_string().into_vec() }
        }
        kind @ (FileType::CharacterDevice | FileType::BlockDevice) => Content::Device {
            block: kind == FileType::BlockDevice,
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        },
        FileType::Fifo => Content::Pipe,
        FileType::Socket => Content::Socket,
        FileType::Unknown => {
            return Err(Error::environment(format!("`{}` is of no known kind", path.display())));
        }
    };
    Ok(Entry {
        path: relative,
        content,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        attributes,
        stamp: Stamp::of(&stat),
    })
}

fn attribute_names(path: &Path) -> Result<Vec<std::ffi::CString>, Error> {
    // Most files have none: one call, no second.
    let mut buffer = [0; 256];
    let mut long;
    let names: &[u8] = match llistxattr(path, &mut buffer) {
        Ok(0) | Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(count) => &buffer[..count],
        Err(rustix::io::Errno::RANGE) => {
            long = vec![0; 64 << 10];
            let count = llistxattr(path, &mut long[..]).doing("read the attributes of", path)?;
            &long[..count]
        }
        Err(error) => return Err(error).doing("read the attributes of", path),
    };
    let names = names.split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(|name| Some(CStr::from_bytes_with_nul(name).ok()?.to_owned())).collect())
}

fn attribute(path: &Path, name: &CStr) -> Result<Vec<u8>, Error> {
    let mut value = vec![0; 64 << 10];
    let count = lgetxattr(path, name, &mut value[..]).doing("read an attribute of", path)?;
    value.truncate(count);
    Ok(value)
}
