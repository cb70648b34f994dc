use super::entry_path::{EntryPath, join};
use super::metadata::{Metadata, OPAQUE, through};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// As many links as Linux follows in one look-up.
const LINKS: usize = 40;

/// Layer directories on top of each other, read as the overlay file system would show them.
///
/// For look-ups of single paths without a mount. The directories are ours and do not change meanwhile.
pub(crate) struct Stack {
    /// Topmost first.
    layers: Vec<OwnedFd>,
}

/// What a path of a [`Stack`] shows.
pub(crate) enum Seen<'a> {
    /// Nothing.
    Missing,
    /// This, in the layer that is open as `layer`.
    File { layer: BorrowedFd<'a>, stat: Stat },
}

/// Where links may lead while a path is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Anywhere: the root of the stack is the root of all, as in the finished image.
    InRoot,
    /// Not to absolute targets and not above the root.
    Beneath,
}

/// A path could not be resolved.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// It goes through this link, which leads elsewhere or in a circle.
    Link(Vec<u8>),
    /// Reading failed.
    Failed(Errno),
}

impl From<Errno> for Unresolved {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

impl Stack {
    /// Opens layers, topmost first.
    pub(crate) fn open<'a>(layers: impl IntoIterator<Item = &'a Path>) -> rustix::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let layers = layers
            .into_iter()
            .map(|layer| rustix::fs::open(layer, flags, Mode::empty()))
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    /// What stands at a path whose parents are no links.
    pub(crate) fn look(&self, path: &[u8]) -> rustix::io::Result<Seen<'_>> {
        if path.is_empty() {
            return match self.layers.first() {
                None => Ok(Seen::Missing),
                Some(layer) => {
                    let stat = rustix::fs::statat(layer, ".", AtFlags::empty())?;
                    Ok(Seen::File { layer: layer.as_fd(), stat })
                }
            };
        }
        'layers: for layer in &self.layers {
            let mut hides_below = is_opaque(layer.as_fd(), b".")?;
            let mut ends =
                path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
            loop {
                let end = ends.next();
                let prefix = &path[..end.unwrap_or(path.len())];
                let stat = match rustix::fs::statat(layer, prefix, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    Err(Errno::NOENT) if hides_below => return Ok(Seen::Missing),
                    Err(Errno::NOENT) => continue 'layers,
                    Err(error) => return Err(error),
                };
                if is_whiteout(&stat) {
                    return Ok(Seen::Missing);
                }
                let is_directory = FileType::from_raw_mode(stat.st_mode).is_dir();
                match end {
                    None => return Ok(Seen::File { layer: layer.as_fd(), stat }),
                    Some(_) if !is_directory => return Ok(Seen::Missing),
                    Some(_) => hides_below |= is_opaque(layer.as_fd(), prefix)?,
                }
            }
        }
        Ok(Seen::Missing)
    }

    /// The path that an absolute path of the finished image leads to, links followed.
    pub(crate) fn resolve_in_root(&self, path: &[u8]) -> Result<Vec<u8>, Unresolved> {
        let inside = path.strip_prefix(b"/").unwrap_or(path);
        match EntryPath::parse(inside, usize::MAX) {
            Ok(path) => self.resolve(&path, Links::InRoot),
            Err(_) => Err(Unresolved::Link(path.to_vec())),
        }
    }

    /// The same path with no link in it. What is missing is taken as it is written.
    pub(crate) fn resolve(&self, path: &EntryPath, links: Links) -> Result<Vec<u8>, Unresolved> {
        let mut todo: VecDeque<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        let mut done: Vec<Vec<u8>> = Vec::new();
        let mut followed = 0;
        while let Some(name) = todo.pop_front() {
            let parent = done.join(&b'/');
            if name == b".." {
                if done.pop().is_none() && links == Links::Beneath {
                    return Err(Unresolved::Link(path.as_bytes().to_vec()));
                }
                continue;
            }
            let here = join(&parent, &name);
            let Seen::File { layer, stat } = self.look(&here)? else {
                done.push(name);
                continue;
            };
            if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
                done.push(name);
                continue;
            }
            let target = rustix::fs::readlinkat(layer, &here[..], Vec::new())?.into_bytes();
            followed += 1;
            if followed > LINKS || (links == Links::Beneath && target.starts_with(b"/")) {
                return Err(Unresolved::Link(here));
            }
            if target.starts_with(b"/") {
                done.clear();
            }
            let names = target.split(|byte| *byte == b'/');
            let names = names.filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec);
            for (at, name) in names.enumerate() {
                todo.insert(at, name);
            }
            if links == Links::Beneath && climbs_out(&done, &todo) {
                return Err(Unresolved::Link(here));
            }
        }
        Ok(done.join(&b'/'))
    }

    /// The metadata of the directory at a path without links, `None` when there is none.
    pub(crate) fn directory(&self, path: &[u8]) -> rustix::io::Result<Option<Metadata>> {
        match self.look(path)? {
            Seen::File { layer, stat } if FileType::from_raw_mode(stat.st_mode).is_dir() => {
                let mut metadata = Metadata::of(layer, path, &stat)?;
                metadata.xattrs.retain(|key, _| !key.starts_with(b"trusted.overlay."));
                Ok(Some(metadata))
            }
            _ => Ok(None),
        }
    }
}

/// Whether following these names, none of them a link, would leave the root.
fn climbs_out(done: &[Vec<u8>], todo: &VecDeque<Vec<u8>>) -> bool {
    let mut depth = done.len();
    for name in todo {
        if name != b".." {
            depth += 1;
        } else if depth == 0 {
            return true;
        } else {
            depth -= 1;
        }
    }
    false
}

/// Whether the overlay file system takes it for the mark of something removed.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_opaque(layer: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<bool> {
    let mut value = [0; 1];
    match rustix::fs::lgetxattr(through(layer, path), OPAQUE, &mut value) {
        Ok(length) => Ok(&value[..length] == b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}
