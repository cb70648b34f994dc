use super::entry_path::{join, shown};
use super::metadata::{Metadata, OPAQUE};
use super::stack::is_whiteout;
use super::unpack::is_kept;
use super::write::{Entry, TarWriter};
use kiln_engine::{Digest, Error};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Tells the digest of a file's content by its path below the packed directory, where it is known.
pub(crate) type Expected<'a> = &'a (dyn Fn(&Path) -> Option<Digest> + Sync);

/// What [`pack`] has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Members besides the root.
    pub entries: u64,
}

/// Archives a layer directory of the overlay file system as a layer of an OCI image.
///
/// Members are sorted by name, a directory before what is in it, the root first as `./`. Whiteouts become
/// `.wh.name`, opaque directories hold `.wh..wh..opq`. Of several names of one file, the first holds it.
/// Sockets are left out: they mean nothing without who listens.
///
/// # Errors
/// When a file cannot be read, changes meanwhile, does not have the digest that `expected` tells, or
/// cannot be told in an OCI layer.
pub(crate) fn pack<W: Write>(
    directory: &Path,
    to: W,
    expected: Option<Expected<'_>>,
) -> Result<(W, Packed), Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty()).map_err(|error| {
        Error::environment(format!("cannot read the layer `{}`", directory.display()))
            .caused_by(error)
    })?;
    let mut packing = Packing {
        root,
        to: TarWriter::new(to),
        expected,
        links: BTreeMap::new(),
        entries: 0,
        buffer: vec![0; 1 << 18],
    };
    packing.run().map_err(|failure| match failure {
        Failure::At(path, error) => Error::environment(format!(
            "cannot archive `{}` of the layer `{}`",
            shown(&path),
            directory.display()
        ))
        .caused_by(error),
        Failure::Damaged(path) => Error::environment(format!(
            "`{}` of the layer `{}` is damaged: its content is not what was built",
            shown(&path),
            directory.display()
        ))
        .help("remove the layer from the store and bake again"),
    })?;
    let entries = packing.entries;
    let to = packing.to.finish().map_err(|error| {
        Error::environment("cannot write the archive of a layer".to_owned()).caused_by(error)
    })?;
    Ok((to, Packed { entries }))
}

enum Failure {
    At(Vec<u8>, io::Error),
    Damaged(Vec<u8>),
}

struct Packing<'a, W> {
    root: OwnedFd,
    to: TarWriter<W>,
    expected: Option<Expected<'a>>,
    /// The first name of files with several: by device and inode.
    links: BTreeMap<(u64, u64), Vec<u8>>,
    entries: u64,
    buffer: Vec<u8>,
}

/// A directory that is being archived. Only its listing is held: depth does not cost open files.
struct Frame {
    path: Vec<u8>,
    children: std::vec::IntoIter<Child>,
}

struct Child {
    /// Its name in the archive, by which it is sorted.
    archived: Vec<u8>,
    name: Vec<u8>,
    stat: Stat,
}

impl<W: Write> Packing<'_, W> {
    fn run(&mut self) -> Result<(), Failure> {
        let at_root = |error: rustix::io::Errno| Failure::At(b".".to_vec(), error.into());
        let stat = rustix::fs::statat(&self.root, ".", AtFlags::empty()).map_err(at_root)?;
        let metadata = Metadata::of(&self.root, b".", &stat).map_err(at_root)?;
        let frame = self.enter(Vec::new(), &metadata)?;
        let mut frames = vec![frame];
        let mut open: Option<(Vec<u8>, OwnedFd)> = None;
        while let Some(frame) = frames.last_mut() {
            let Some(child) = frame.children.next() else {
                frames.pop();
                continue;
            };
            let path = join(&frame.path, &child.name);
            let failed = |error: io::Error| Failure::At(path.clone(), error);
            let parent = match open.take() {
                Some((of, fd)) if of == frame.path => fd,
                _ => self.open(&frame.path, OFlags::PATH).map_err(|error| failed(error.into()))?,
            };
            self.entries += 1;
            if FileType::from_raw_mode(child.stat.st_mode).is_dir() {
                let metadata = Metadata::of(&parent, &child.name, &child.stat)
                    .map_err(|error| failed(error.into()))?;
                frames.push(self.enter(path, &metadata)?);
            } else {
                self.file(&parent, &child, &join(&frame.path, &child.archived), &path)?;
                open = Some((frame.path.clone(), parent));
            }
        }
        Ok(())
    }

    /// Writes a directory's header and lists it.
    fn enter(&mut self, path: Vec<u8>, metadata: &Metadata) -> Result<Frame, Failure> {
        let failed = |error: io::Error| Failure::At(path.clone(), error);
        let name = if path.is_empty() { b"./".to_vec() } else { join(&path, b"") };
        let kept = kept(metadata).map_err(failed)?;
        self.to.header(&name, Entry::Directory, &kept).map_err(failed)?;
        match metadata.xattrs.get(OPAQUE.as_bytes()).map(Vec::as_slice) {
            Some(b"y") => {
                self.entries += 1;
                self.mark(&join(&path, b".wh..wh..opq")).map_err(failed)?;
            }
            Some(b"n") | None => {}
            Some(_) => return Err(failed(io::Error::other("an unknown mark of an overlay"))),
        }
        let children = self.children(&path).map_err(failed)?;
        Ok(Frame { path, children: children.into_iter() })
    }

    fn children(&self, path: &[u8]) -> io::Result<Vec<Child>> {
        let fd = self.open(path, OFlags::RDONLY)?;
        let mut children = Vec::new();
        for entry in Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let stat = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Socket {
                continue;
            }
            if name.starts_with(b".wh.") {
                return Err(io::Error::other(format!(
                    "`{}` begins with `.wh.`, which layers of OCI images keep for what was removed",
                    shown(name)
                )));
            }
            let mut archived = name.to_vec();
            if is_whiteout(&stat) {
                archived.splice(0..0, *b".wh.");
            }
            children.push(Child { archived, name: name.to_vec(), stat });
        }
        children.sort_unstable_by(|a, b| a.archived.cmp(&b.archived));
        Ok(children)
    }

    fn file(
        &mut self,
        parent: &OwnedFd,
        child: &Child,
        archived: &[u8],
        path: &[u8],
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::At(path.to_vec(), error);
        let stat = &child.stat;
        if is_whiteout(stat) {
            return self.mark(archived).map_err(failed);
        }
        let metadata =
            Metadata::of(parent, &child.name, stat).map_err(|error| failed(error.into()))?;
        let metadata = kept(&metadata).map_err(failed)?;
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.links.get(&inode) {
                let plain = Metadata { xattrs: BTreeMap::new(), ..metadata };
                return self.to.header(path, Entry::HardLink(first), &plain).map_err(failed);
            }
            self.links.insert(inode, path.to_vec());
        }
        let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let target;
        let entry = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                return self.content(parent, child, path, &metadata);
            }
            FileType::Symlink => {
                target = rustix::fs::readlinkat(parent, &child.name[..], Vec::new())
                    .map_err(|error| failed(error.into()))?
                    .into_bytes();
                Entry::Symlink(&target)
            }
            FileType::CharacterDevice => Entry::CharDevice(major, minor),
            FileType::BlockDevice => Entry::BlockDevice(major, minor),
            FileType::Fifo => Entry::Fifo,
            _ => return Err(failed(io::Error::other("a file of an unknown type"))),
        };
        self.to.header(path, entry, &metadata).map_err(failed)
    }

    fn content(
        &mut self,
        parent: &OwnedFd,
        child: &Child,
        path: &[u8],
        metadata: &Metadata,
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::At(path.to_vec(), error);
        let size = child.stat.st_size.unsigned_abs();
        self.to.header(path, Entry::File(size), metadata).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NOATIME | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, &child.name[..], flags, Mode::empty());
        let mut file = File::from(file.map_err(|error| failed(error.into()))?);
        let expected =
            self.expected.and_then(|expected| expected(Path::new(OsStr::from_bytes(path))));
        let mut hasher = expected.map(|_| blake3::Hasher::new());
        let mut left = size;
        loop {
            let read = match file.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(failed)?,
            };
            // Reading on until the end notices a file that has grown.
            if read as u64 > left || (read == 0 && left > 0) {
                return Err(failed(io::Error::other("it changes while it is read")));
            }
            if read == 0 {
                break;
            }
            let bytes = &self.buffer[..read];
            if let Some(hasher) = &mut hasher {
                hasher.update(bytes);
            }
            self.to.content(bytes).map_err(failed)?;
            left -= read as u64;
        }
        match hasher {
            Some(hasher) if Some(Digest::from(hasher.finalize())) != expected => {
                Err(Failure::Damaged(path.to_vec()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the empty file that stands for something removed.
    fn mark(&mut self, name: &[u8]) -> io::Result<()> {
        let metadata = Metadata { uid: 0, gid: 0, mode: 0o644, xattrs: BTreeMap::new() };
        self.to.header(name, Entry::File(0), &metadata)
    }

    fn open(&self, path: &[u8], access: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)
    }
}

/// Without what is not the image's.
fn kept(metadata: &Metadata) -> io::Result<Metadata> {
    for mark in [&b"trusted.overlay.redirect"[..], b"trusted.overlay.metacopy"] {
        if metadata.xattrs.contains_key(mark) {
            let mark = shown(mark);
            return Err(io::Error::other(format!("its content lies in another layer (`{mark}`)")));
        }
    }
    let mut metadata = metadata.clone();
    metadata.xattrs.retain(|key, _| is_kept(key) && !key.starts_with(b"trusted.overlay."));
    Ok(metadata)
}
