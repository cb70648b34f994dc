use super::entry_path::{EntryPath, shown};
use super::limits::Limits;
use super::member::{Kind, Member};
use super::metadata::Metadata;
use super::read::Members;
use super::root::{Fault, Root};
use kiln_engine::Error;
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// What a name that begins with `.wh.` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whiteouts {
    /// As in layers of OCI images: `.wh.name` removes `name` from the layers below, `.wh..wh..opq`
    /// hides all that they have in its directory. They become what the overlay file system has for
    /// this: a character device 0:0, the attribute `trusted.overlay.opaque`.
    ///
    /// Other names that begin with `.wh..wh.` are left-overs of an older file system and skipped, as by
    /// other tools.
    Oci,
    /// Nothing: it is a name.
    None,
}

/// Unpacks a tar archive into a directory that exists, as root.
///
/// Owners (numeric), modes, links, devices, pipes, holes, capabilities, access control lists, `user.*` and
/// `trusted.*` attributes are kept; times are not (see the [module](super)). Reads to the end.
///
/// # Errors
/// When the archive is broken or refused, with the member and its position in bytes of the uncompressed
/// archive; when the system cannot make a file. The directory then holds a part, to be removed.
pub fn unpack(reader: impl Read, into: &Path, whiteouts: Whiteouts) -> Result<(), Error> {
    unpack_below(reader, into, whiteouts, None)
}

/// Like [`unpack`], for a layer whose lower layers are known, topmost first: a directory that no member
/// describes is made like the one below, and what is not there is not removed.
pub(crate) fn unpack_over(
    reader: impl Read,
    into: &Path,
    whiteouts: Whiteouts,
    below: &[&Path],
) -> Result<(), Error> {
    unpack_below(reader, into, whiteouts, Some(below))
}

fn unpack_below(
    reader: impl Read,
    into: &Path,
    whiteouts: Whiteouts,
    below: Option<&[&Path]>,
) -> Result<(), Error> {
    let root = Root::open(into, below).map_err(|error| {
        Error::environment(format!("cannot unpack into `{}`", into.display())).caused_by(error)
    })?;
    Unpacking::new(reader, root, whiteouts, Limits::FOREIGN).run()
}

/// Whether an extended attribute is kept when files are packed and unpacked. Labels of the machine's own
/// security modules are not the image's.
pub(crate) fn is_kept(attribute: &[u8]) -> bool {
    attribute.starts_with(b"user.")
        || attribute.starts_with(b"trusted.")
        || attribute.starts_with(b"system.posix_acl_")
        || attribute == b"security.capability"
}

struct Unpacking<R> {
    members: Members<R>,
    root: Root,
    whiteouts: Whiteouts,
    limits: Limits,
    buffer: Vec<u8>,
}

/// What a name says, once whiteouts are told apart.
enum Meaning {
    Member(EntryPath),
    Whiteout { parent: Vec<u8>, name: Vec<u8> },
    Opaque(Vec<u8>),
    Skipped,
}

impl<R: Read> Unpacking<R> {
    fn new(reader: R, root: Root, whiteouts: Whiteouts, limits: Limits) -> Self {
        let members = Members::new(reader, limits);
        Self { members, root, whiteouts, limits, buffer: vec![0; 1 << 18] }
    }

    fn run(mut self) -> Result<(), Error> {
        while let Some(member) = self.members.next()? {
            self.member(&member).map_err(|stopped| match stopped {
                Stopped::Fault(Fault::Refused(why)) => member.refused(why),
                Stopped::Fault(Fault::Failed(errno)) => {
                    let name = shown(&member.name);
                    let at = member.position;
                    Error::environment(format!("cannot unpack member `{name}` at byte {at}"))
                        .caused_by(errno)
                }
                Stopped::Error(error) => error,
            })?;
        }
        self.members.finish()?;
        self.root.set_times().map_err(|fault| {
            Error::environment(format!("cannot set the times of what was unpacked: {fault:?}"))
        })
    }

    fn member(&mut self, member: &Member) -> Result<(), Stopped> {
        let path = match self.meaning(&member.name)? {
            Meaning::Member(path) => path,
            Meaning::Whiteout { parent, name } => return Ok(self.root.whiteout(&parent, &name)?),
            Meaning::Opaque(directory) => return Ok(self.root.opaque(&directory)?),
            Meaning::Skipped => return Ok(()),
        };
        let metadata = metadata(member)?;
        match &member.kind {
            Kind::Directory => self.root.directory(&path, &metadata)?,
            Kind::HardLink(target) => {
                let target = EntryPath::parse(target, self.limits.path)
                    .map_err(|why| Fault::Refused(format!("is a hard link whose target {why}")))?;
                self.root.hard_link(&path, &target)?;
            }
            Kind::Symlink(target) => {
                self.special(&path, &metadata, FileType::Symlink, |parent, name| {
                    rustix::fs::symlinkat(&target[..], parent, name)
                })?;
            }
            Kind::Fifo => self.node(&path, &metadata, FileType::Fifo, 0)?,
            Kind::CharDevice(0, 0) => {
                return Err(refusal("is a character device 0:0, which would remove a file").into());
            }
            Kind::CharDevice(major, minor) => {
                let device = rustix::fs::makedev(*major, *minor);
                self.node(&path, &metadata, FileType::CharacterDevice, device)?;
            }
            Kind::BlockDevice(major, minor) => {
                let device = rustix::fs::makedev(*major, *minor);
                self.node(&path, &metadata, FileType::BlockDevice, device)?;
            }
            Kind::File | Kind::Sparse(_) => {
                let flags = OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::WRONLY
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let (parent, file) = self.root.file(&path, |parent, name| {
                    rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
                })?;
                self.content(member, File::from(file))?;
                self.root.finish(&parent, &path, FileType::RegularFile, &metadata)?;
            }
        }
        Ok(())
    }

    fn meaning(&self, name: &[u8]) -> Result<Meaning, Fault> {
        let path = EntryPath::parse(name, self.limits.path).map_err(Fault::Refused)?;
        if self.whiteouts == Whiteouts::None {
            return Ok(Meaning::Member(path));
        }
        let Some((parent, last)) = path.split() else { return Ok(Meaning::Member(path)) };
        if last == b".wh..wh..opq" && !parent.split(|byte| *byte == b'/').any(is_mark) {
            return Ok(Meaning::Opaque(parent.to_vec()));
        }
        if path.components().any(|name| name.starts_with(b".wh..wh.")) {
            return Ok(Meaning::Skipped);
        }
        if parent.split(|byte| *byte == b'/').any(is_mark) {
            return Err(refusal("lies below a whiteout, which is no directory"));
        }
        match last.strip_prefix(b".wh.") {
            None => Ok(Meaning::Member(path)),
            Some(b"" | b"." | b"..") => Err(refusal("is a whiteout of no file")),
            Some(name) => Ok(Meaning::Whiteout { parent: parent.to_vec(), name: name.to_vec() }),
        }
    }

    fn node(
        &mut self,
        path: &EntryPath,
        metadata: &Metadata,
        kind: FileType,
        device: u64,
    ) -> Result<(), Fault> {
        self.special(path, metadata, kind, |parent, name| {
            rustix::fs::mknodat(parent, name, kind, Mode::RUSR, device)
        })
    }

    fn special(
        &mut self,
        path: &EntryPath,
        metadata: &Metadata,
        kind: FileType,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<()>,
    ) -> Result<(), Fault> {
        let (parent, ()) = self.root.file(path, make)?;
        self.root.finish(&parent, path, kind, metadata)
    }

    fn content(&mut self, member: &Member, mut file: File) -> Result<(), Error> {
        let whole = [(0, u64::MAX)];
        let (parts, size) = match &member.kind {
            Kind::Sparse(map) => (&map.parts[..], Some(map.size)),
            _ => (&whole[..], None),
        };
        let cannot_write = |error| {
            let name = shown(&member.name);
            Error::environment(format!("cannot write member `{name}`")).caused_by(error)
        };
        for (offset, length) in parts {
            if size.is_some() {
                file.seek(SeekFrom::Start(*offset)).map_err(cannot_write)?;
            }
            let mut left = *length;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                let read = match self.members.read(&mut self.buffer[..most]) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    read => read.map_err(|error| {
                        member.refused("cannot be read to its end").caused_by(error)
                    })?,
                };
                if read == 0 {
                    break;
                }
                file.write_all(&self.buffer[..read]).map_err(cannot_write)?;
                left -= read as u64;
            }
        }
        match size {
            Some(size) => file.set_len(size).map_err(cannot_write),
            None => Ok(()),
        }
    }
}

/// Why a member was not unpacked.
enum Stopped {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn refusal(why: &str) -> Fault {
    Fault::Refused(why.to_owned())
}

fn is_mark(name: &[u8]) -> bool {
    name.starts_with(b".wh.")
}

fn metadata(member: &Member) -> Result<Metadata, Fault> {
    let mut xattrs = member.xattrs.clone();
    if let Some(key) = xattrs.keys().find(|key| key.starts_with(b"trusted.overlay.")) {
        return Err(refusal(&format!("has the attribute `{}` of an overlay", shown(key))));
    }
    xattrs.retain(|key, _| is_kept(key) && !key.contains(&0));
    Ok(Metadata { uid: member.uid, gid: member.gid, mode: member.mode, xattrs })
}
