use crate::fault::Fault;
use kiln_engine::Error;
use rustix::fs::{AtFlags, FileType, fstat};
use rustix::fs::{Mode, OFlags, ResolveFlags, chmodat, chownat, mkdirat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Each container has its own of these, so what a step puts there would be neither seen by other steps
/// nor in the image.
const UNSEEN: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/tmp"];

/// The root directory of an image. Paths are resolved in it as a process would that has it as its root:
/// absolute links and `..` never lead out (openat2(2), `RESOLVE_IN_ROOT`).
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).doing("open", path)?;
        Ok(Self { fd })
    }

    /// Opens what a path leads to.
    pub(crate) fn at(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            // A rename anywhere on this machine at the wrong moment is answered with a retry.
            match openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }

    /// A small regular file; `None` where there is none.
    pub(crate) fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        // Not blocking: an image may have a pipe by this name.
        let fd = match self.at(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error).doing("read from the image", Path::new(path)),
        };
        let stat = fstat(&fd).doing("read from the image", Path::new(path))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::from(fd)
            .take(most + 1)
            .read_to_end(&mut bytes)
            .doing("read from the image", Path::new(path))?;
        if bytes.len() as u64 > most {
            return Err(Error::input(format!("`{path}` in the image is larger than {most} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Whether there is something, of what kind, and with which mode.
    pub(crate) fn stat(&self, path: &str) -> Option<(FileType, u32)> {
        let stat = fstat(self.at(path, OFlags::PATH).ok()?).ok()?;
        Some((FileType::from_raw_mode(stat.st_mode), stat.st_mode & 0o7777))
    }

    /// Opens a directory, making it and its parents where they are missing.
    pub(crate) fn make_dirs(&self, path: &str) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.at(path, flags) {
            Ok(fd) => return Ok(fd),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR) => return Err(in_the_way(path)),
            Err(error) => return Err(error).doing("open in the image", Path::new(path)),
        }
        let (parent, name) = self.make_parent(path)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                let at = AtFlags::SYMLINK_NOFOLLOW;
                let root = (rustix::fs::Uid::ROOT, rustix::fs::Gid::ROOT);
                chownat(&parent, name, Some(root.0), Some(root.1), at)
                    .and_then(|()| {
                        chmodat(&parent, name, Mode::from_raw_mode(0o755), AtFlags::empty())
                    })
                    .doing("make in the image", Path::new(path))?;
            }
            // Another thread was faster, or it is a link to nowhere: the next line tells.
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error).doing("make in the image", Path::new(path)),
        }
        self.at(path, flags).map_err(|error| match error {
            Errno::NOENT => Error::input(format!("`{path}` in the image is a link to nowhere"))
                .help("remove the link in an earlier step"),
            Errno::NOTDIR => in_the_way(path),
            error => {
                Error::environment(format!("cannot open `{path}` in the image")).caused_by(error)
            }
        })
    }

    /// The directory that a path lies in, made where it is missing, and the path's last component.
    pub(crate) fn make_parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), Error> {
        let (parent, name) = split(path)?;
        Ok((self.make_dirs(if parent.is_empty() { "/" } else { parent })?, name))
    }

    /// Refuses a path below one of those that a container replaces.
    pub(crate) fn refuse_unseen(&self, path: &str) -> Result<(), Error> {
        let unseen = UNSEEN
            .iter()
            .find(|dir| path.strip_prefix(**dir).is_some_and(|rest| rest.starts_with('/')));
        match unseen {
            None => Ok(()),
            Some(dir) => Err(Error::input(format!("`{path}` would not be part of the image: `{dir}` is made afresh when it runs, and for each layer"))
                .help("use a path elsewhere; what only a later step needs can go below `/var/tmp` and be removed by that step")),
        }
    }
}

/// The parent and the last component of an absolute path.
pub(super) fn split(path: &str) -> Result<(&str, &str), Error> {
    match path.rsplit_once('/') {
        Some((parent, name)) if !matches!(name, "" | "." | "..") => Ok((parent, name)),
        _ => Err(Error::input(format!("`{path}` is not the absolute path of a file"))),
    }
}

fn in_the_way(path: &str) -> Error {
    Error::input(format!(
        "`{path}` is to be a directory, and in the image it, or a part of it, is a file"
    ))
    .help("remove the file in an earlier step")
}
