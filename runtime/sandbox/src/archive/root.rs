use super::entry_path::{EntryPath, join, shown};
use super::metadata::{Metadata, OPAQUE, through, times};
use super::stack::{Links, Stack, Unresolved, is_whiteout};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// No link is resolved, not even one that stays below.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// The directory that an archive is unpacked into. Nothing outside is ever touched.
pub(crate) struct Root {
    root: OwnedFd,
    /// The directory itself on top of the layers below it.
    stack: Stack,
    /// The layers below it, alone.
    below: Option<Stack>,
    /// The parent of the last member: members of a directory follow each other.
    last: Option<(Vec<u8>, OwnedFd)>,
    directories: BTreeSet<Vec<u8>>,
}

/// Why a file could not be made.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The archive asks for what it must not: continues "member `x` …".
    Refused(String),
    /// The system would not.
    Failed(Errno),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NAMETOOLONG => Self::Refused("has too long a name".to_owned()),
            errno => Self::Failed(errno),
        }
    }
}

impl From<Unresolved> for Fault {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Link(link) => Self::Refused(format!(
                "lies behind the link `{}`, which leads out of the root",
                shown(&link)
            )),
            Unresolved::Failed(errno) => errno.into(),
        }
    }
}

impl Root {
    /// Opens the directory `into`, which may hold files already. `below`: layers that it will lie on,
    /// topmost first; `None`: not known.
    pub(crate) fn open(into: &Path, below: Option<&[&Path]>) -> rustix::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(into, flags, Mode::empty())?;
        let all = std::iter::once(into).chain(below.unwrap_or_default().iter().copied());
        Ok(Self {
            root,
            stack: Stack::open(all)?,
            below: below.map(|layers| Stack::open(layers.iter().copied())).transpose()?,
            last: None,
            directories: BTreeSet::from([Vec::new()]),
        })
    }

    /// Makes a directory, or takes the one that is there, and gives it this metadata.
    pub(crate) fn directory(&mut self, path: &EntryPath, metadata: &Metadata) -> Result<(), Fault> {
        let Some((parent, name)) = path.split() else {
            return Ok(metadata.apply(&self.root, b".", FileType::Directory)?);
        };
        let parent = self.parent(parent)?;
        self.make_directory(&parent, name, metadata)
    }

    /// Makes a file of another kind, in place of what is there: `make` is called with the directory that
    /// is to hold it, and may be called twice.
    pub(crate) fn file<T>(
        &mut self,
        path: &EntryPath,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<T>,
    ) -> Result<(Vec<u8>, T), Fault> {
        let Some((parent, name)) = path.split() else {
            return Err(Fault::Refused("names the root, which is a directory".to_owned()));
        };
        let parent = self.parent(parent)?;
        let fd = self.open_directory(&parent)?;
        let made = match make(fd, name) {
            Err(Errno::EXIST) => {
                remove(fd, name)?;
                make(fd, name)?
            }
            made => made?,
        };
        Ok((parent, made))
    }

    /// Gives a file that was just made its metadata.
    pub(crate) fn finish(
        &mut self,
        parent: &[u8],
        path: &EntryPath,
        kind: FileType,
        metadata: &Metadata,
    ) -> Result<(), Fault> {
        let Some((_, name)) = path.split() else { return Ok(()) };
        let fd = self.open_directory(parent)?;
        Ok(metadata.apply(fd, name, kind)?)
    }

    /// Makes `path` another name of the file `target`.
    pub(crate) fn hard_link(&mut self, path: &EntryPath, target: &EntryPath) -> Result<(), Fault> {
        let Some((parent, target_name)) = target.split() else {
            return Err(Fault::Refused("is a hard link to the root".to_owned()));
        };
        let missing = || {
            Fault::Refused(format!(
                "is a hard link to `{}`, which is not there",
                shown(target.as_bytes())
            ))
        };
        let parent = EntryPath::parse(parent, usize::MAX).map_err(Fault::Refused)?;
        let parent = self.stack.resolve(&parent, Links::Beneath)?;
        let from = match self.at(&parent) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing()),
            from => from?,
        };
        let stat = match rustix::fs::statat(&from, target_name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Err(missing()),
            stat => stat?,
        };
        if FileType::from_raw_mode(stat.st_mode).is_dir() || is_whiteout(&stat) {
            return Err(Fault::Refused(format!(
                "is a hard link to `{}`, which is no file",
                shown(target.as_bytes())
            )));
        }
        if path == target {
            return Ok(());
        }
        self.file(path, |fd, name| {
            rustix::fs::linkat(&from, target_name, fd, name, AtFlags::empty())
        })
        .map(|_| ())
        .map_err(|fault| match fault {
            // The target lay below what this very member replaced.
            Fault::Failed(Errno::NOENT) => missing(),
            fault => fault,
        })
    }

    /// Marks a path as removed from the layers below, unless this layer has put something there.
    pub(crate) fn whiteout(&mut self, parent: &[u8], name: &[u8]) -> Result<(), Fault> {
        let parent_path = EntryPath::parse(parent, usize::MAX).map_err(Fault::Refused)?;
        let resolved = self.stack.resolve(&parent_path, Links::Beneath)?;
        if let Some(below) = &self.below
            && matches!(below.look(&join(&resolved, name))?, super::stack::Seen::Missing)
        {
            return Ok(());
        }
        let parent = self.parent(parent)?;
        let fd = self.open_directory(&parent)?;
        match rustix::fs::mknodat(fd, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode).is_dir() {
                    set_opaque(fd, name)?;
                }
                Ok(())
            }
            made => {
                made?;
                Ok(rustix::fs::utimensat(fd, name, &times(), AtFlags::SYMLINK_NOFOLLOW)?)
            }
        }
    }

    /// Hides what the layers below have in a directory.
    pub(crate) fn opaque(&mut self, path: &[u8]) -> Result<(), Fault> {
        let path = self.parent(path)?;
        let fd = self.open_directory(&path)?;
        Ok(set_opaque(fd, b".")?)
    }

    /// Sets the times of directories, which change with what is made in them.
    pub(crate) fn set_times(&self) -> Result<(), Fault> {
        for directory in &self.directories {
            match self.at(directory) {
                // Replaced by a later member.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                fd => rustix::fs::utimensat(fd?, ".", &times(), AtFlags::empty())?,
            }
        }
        Ok(())
    }

    /// The path of a directory with no link in it; it and its parents are made where they are missing.
    fn parent(&mut self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        if self.last.as_ref().is_some_and(|(last, _)| last == path) {
            return Ok(path.to_vec());
        }
        if let Ok(fd) = self.at(path) {
            self.directories.insert(path.to_vec());
            self.last = Some((path.to_vec(), fd));
            return Ok(path.to_vec());
        }
        let written = EntryPath::parse(path, usize::MAX).map_err(Fault::Refused)?;
        let resolved = self.stack.resolve(&written, Links::Beneath)?;
        let mut done: Vec<u8> = Vec::new();
        for name in resolved.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let next = join(&done, name);
            match self.at(&next) {
                Ok(_) => {}
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                    self.missing_directory(&done, name, &next)?;
                }
                Err(error) => return Err(error.into()),
            }
            done = next;
        }
        Ok(done)
    }

    /// Makes a directory that no member described: like the one in the layers below, if there is one.
    fn missing_directory(&mut self, parent: &[u8], name: &[u8], path: &[u8]) -> Result<(), Fault> {
        let fd = self.at(parent)?;
        match rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if !is_whiteout(&stat) => {
                return Err(Fault::Refused(format!(
                    "lies below `{}`, which is no directory",
                    shown(path)
                )));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let metadata = self.stack.directory(path)?.unwrap_or_else(Metadata::directory);
        self.make_directory(parent, name, &metadata)
    }

    fn make_directory(
        &mut self,
        parent: &[u8],
        name: &[u8],
        metadata: &Metadata,
    ) -> Result<(), Fault> {
        let fd = self.open_directory(parent)?;
        let mut hides_below = false;
        match rustix::fs::mkdirat(fd, name, Mode::RWXU) {
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if !FileType::from_raw_mode(stat.st_mode).is_dir() {
                    rustix::fs::unlinkat(fd, name, AtFlags::empty())?;
                    rustix::fs::mkdirat(fd, name, Mode::RWXU)?;
                    // The layer removes what was here and puts a directory in its place.
                    hides_below = is_whiteout(&stat);
                }
            }
            made => made?,
        }
        metadata.apply(fd, name, FileType::Directory)?;
        if hides_below {
            set_opaque(fd, name)?;
        }
        self.directories.insert(join(parent, name));
        Ok(())
    }

    /// Opens a directory by a path without links, and remembers it.
    fn open_directory(&mut self, path: &[u8]) -> rustix::io::Result<BorrowedFd<'_>> {
        let fd = match self.last.take() {
            Some((last, fd)) if last == path => fd,
            _ => self.at(path)?,
        };
        if !self.directories.contains(path) {
            self.directories.insert(path.to_vec());
        }
        let (_, fd) = &*self.last.insert((path.to_vec(), fd));
        Ok(fd.as_fd())
    }

    fn at(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.root, path, flags, Mode::empty(), INSIDE)
    }
}

/// Removes a file, or a directory with what is in it.
fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {
            let path = through(parent, name);
            std::fs::remove_dir_all(OsStr::from_bytes(&path))
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        }
        removed => removed,
    }
}

fn set_opaque(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    rustix::fs::lsetxattr(through(parent, name), OPAQUE, b"y", XattrFlags::empty())
}
