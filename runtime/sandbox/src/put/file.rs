use super::Placing;
use super::root::{Root, split};
use crate::fault::Fault;
use kiln_engine::{Digest, Error};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, fstat, openat, renameat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Read, hashed and written at once.
const BUFFER: usize = 1 << 20;

/// Where a file's content comes from.
pub(super) enum From<'a> {
    /// A file of the recipe, and the digest that it had when it was planned.
    Input(Source, Digest),
    /// These bytes.
    Bytes(&'a [u8]),
}

/// A file of the recipe, opened.
pub(super) struct Source {
    file: File,
    /// As the recipe names it.
    path: PathBuf,
}

impl Source {
    /// Opens `path`; errors name it `shown`.
    pub(super) fn open(path: &Path, shown: &Path) -> Result<Self, Error> {
        Self::open_with(path, shown, OFlags::empty())
    }

    /// Opens a member of a tree, which is never a link.
    pub(super) fn open_member(path: &Path, shown: &Path) -> Result<Self, Error> {
        Self::open_with(path, shown, OFlags::NOFOLLOW)
    }

    fn open_with(path: &Path, shown: &Path, more: OFlags) -> Result<Self, Error> {
        // Not blocking: what was a file when it was planned may be a pipe now.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR => vanished(shown),
            Errno::LOOP | Errno::NXIO => changed(shown),
            error => Error::input(format!("cannot read `{}`", shown.display())).caused_by(error),
        })?;
        let stat = fstat(&fd).doing("read", shown)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(changed(shown));
        }
        Ok(Self { file: fd.into(), path: shown.to_owned() })
    }

    /// Copies the content, and compares it with what was planned.
    pub(super) fn copy(mut self, digest: Digest, to: &mut File) -> Result<(), Error> {
        let size = self.file.metadata().doing("read", &self.path)?.len();
        let room = usize::try_from(size.saturating_add(1)).unwrap_or(BUFFER);
        let mut buffer = vec![0; room.clamp(1, BUFFER)];
        let mut hasher = blake3::Hasher::new();
        loop {
            let count = match self.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).doing("read", &self.path),
            };
            // Below this size the threads cost more than they save (blake3's documentation).
            if count >= 128 << 10 {
                hasher.update_rayon(&buffer[..count]);
            } else {
                hasher.update(&buffer[..count]);
            }
            to.write_all(&buffer[..count]).failing("cannot write into the image")?;
        }
        if Digest::from(hasher.finalize()) == digest { Ok(()) } else { Err(changed(&self.path)) }
    }
}

/// Writes a file under a name in an open directory. It replaces a file or a link that is there, at once
/// and not before it is complete.
pub(super) fn write(
    parent: impl AsFd,
    name: &str,
    dest: &str,
    from: From<'_>,
    mode: u32,
    placing: &Placing,
) -> Result<(), Error> {
    let parent = parent.as_fd();
    let image = Path::new(dest);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let private = Mode::from_raw_mode(0o600);
    let temporary = temporary_name();
    let (fd, written) = match openat(parent, name, flags, private) {
        Ok(fd) => (fd, name),
        Err(Errno::EXIST) => {
            refuse_directory(parent, name, dest)?;
            let fd = openat(parent, temporary.as_str(), flags, private)
                .doing("make in the image", image)?;
            (fd, temporary.as_str())
        }
        Err(error) => return Err(error).doing("make in the image", image),
    };
    let mut file = File::from(fd);
    let filled = match from {
        From::Input(source, digest) => source.copy(digest, &mut file),
        From::Bytes(bytes) => file.write_all(bytes).doing("write in the image", image),
    };
    let (uid, gid) = (Uid::from_raw(placing.uid), Gid::from_raw(placing.gid));
    let placed = filled
        // The owner first: a change of owner takes set-id bits away.
        .and_then(|()| fchown(&file, Some(uid), Some(gid)).doing("set the owner of", image))
        .and_then(|()| fchmod(&file, Mode::from_raw_mode(mode)).doing("set the mode of", image))
        .and_then(|()| {
            if written == name {
                return Ok(());
            }
            renameat(parent, written, parent, name).doing("replace in the image", image)
        });
    if placed.is_err() {
        let _the_session_is_thrown_away = unlinkat(parent, written, AtFlags::empty());
    }
    placed
}

/// Makes a symbolic link; it replaces a file or a link that is there.
pub(super) fn link(
    parent: impl AsFd,
    name: &str,
    dest: &str,
    target: &str,
    placing: &Placing,
) -> Result<(), Error> {
    let parent = parent.as_fd();
    let image = Path::new(dest);
    let temporary = temporary_name();
    let made = match symlinkat(target, parent, name) {
        Err(Errno::EXIST) => {
            refuse_directory(parent, name, dest)?;
            symlinkat(target, parent, temporary.as_str())
                .and_then(|()| renameat(parent, temporary.as_str(), parent, name))
        }
        other => other,
    };
    made.doing("make in the image", image)?;
    let (uid, gid) = (Uid::from_raw(placing.uid), Gid::from_raw(placing.gid));
    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .doing("set the owner of", image)
}

/// Removes a path of the image, with what is below it.
pub(super) fn remove(root: &Root, dest: &str) -> Result<(), Error> {
    let (parent, name) = split(dest)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let parent = match root.at(if parent.is_empty() { "/" } else { parent }, flags) {
        Ok(parent) => parent,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error).doing("open in the image", Path::new(dest)),
    };
    match unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {
            // Through the open directory: whatever links lead here have been resolved already.
            let below = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
            std::fs::remove_dir_all(below).doing("remove in the image", Path::new(dest))
        }
        Err(error) => Err(error).doing("remove in the image", Path::new(dest)),
    }
}

fn refuse_directory(
    parent: std::os::fd::BorrowedFd<'_>,
    name: &str,
    dest: &str,
) -> Result<(), Error> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .doing("look at in the image", Path::new(dest))?;
    if FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(Error::input(format!("`{dest}` is a directory in the image"))
            .help(format!("to put a file into it, write `{dest}/`")));
    }
    Ok(())
}

/// Several threads write into one directory.
fn temporary_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(".kiln-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn changed(path: &Path) -> Error {
    Error::input(format!("`{}` changed while the image was being baked", path.display()))
        .help("bake again")
}

pub(super) fn vanished(path: &Path) -> Error {
    Error::input(format!("`{}` vanished while the image was being baked", path.display()))
        .help("put it back, or take it out of the recipe")
}
