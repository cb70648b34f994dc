use super::content;
use super::resolve::{denied, resolve, unreadable, unsupported};
use super::stamp::{self, Stamp, executable, special};
use super::stat_cache::{self, Known};
use super::{Manifest, text, tree};
use crate::{Digest, Error};
use rustix::fd::AsFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, open, stat};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Hashes what recipes name, and remembers under which stamp it read each file.
///
/// Safe to share between threads, and to use from several processes at once.
#[derive(Debug, Clone)]
pub struct Inputs {
    cache: PathBuf,
    now: fn() -> i64,
}

/// A file or a tree that a recipe names, hashed.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File {
        /// On this machine, absolute, without links.
        path: PathBuf,
        /// Of its content.
        digest: Digest,
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory with all that is below it.
    Tree {
        /// On this machine, absolute, without links.
        root: PathBuf,
        /// Of the manifest: [`Manifest::digest`].
        digest: Digest,
        /// What is below it.
        manifest: Arc<Manifest>,
    },
}

impl Input {
    /// Of a file's content or a tree's manifest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::File { digest, .. } | Self::Tree { digest, .. } => *digest,
        }
    }
}

impl Inputs {
    /// Keeps its stat caches in this directory, which need not be there yet.
    #[must_use]
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache: cache_dir, now: stamp::now }
    }

    /// As [`Inputs::new`], with another clock.
    #[cfg(test)]
    pub(super) fn with_clock(cache_dir: PathBuf, now: fn() -> i64) -> Self {
        Self { cache: cache_dir, now }
    }

    /// Hashes the file or tree that a recipe names `relative`, below `root`.
    ///
    /// A link in the name itself is followed as long as it stays below `root`; links in a tree are
    /// entries. A file is not read again while its size, times, inode and device are what they were when it
    /// was last hashed, unless it had just been written then. Blocks: not for an async task's own thread.
    ///
    /// # Errors
    /// Where it is not there, not below `root`, unreadable, a socket, pipe or device, where a name is not
    /// UTF-8, and where it changes or vanishes while it is hashed. Without origin. A stat cache that
    /// cannot be read or written is no error.
    pub fn read(&self, root: &Path, relative: &str) -> Result<Input, Error> {
        let path = resolve(root, relative)?;
        let stat = stat(&path).map_err(|errno| denied(relative, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.read_tree(path, relative),
            kind => match special(kind) {
                Some(what) => Err(unsupported(relative, what)),
                None => self.read_file(path, relative, Stamp::of(&stat), executable(&stat)),
            },
        }
    }

    /// The text of a template or script, and the digest of its bytes.
    ///
    /// # Errors
    /// As [`Inputs::read`]; and where it is no file, not UTF-8, or larger than 16 MiB.
    pub fn read_text(&self, root: &Path, relative: &str) -> Result<(String, Digest), Error> {
        text::read(&resolve(root, relative)?, relative)
    }

    fn read_file(
        &self,
        path: PathBuf,
        name: &str,
        stamp: Stamp,
        executable: bool,
    ) -> Result<Input, Error> {
        let began = (self.now)();
        let location = stat_cache::location(&self.cache, &path);
        let cache = stat_cache::load(&location);
        if stamp.settled(began)
            && let Some(known) = stat_cache::decode(&cache).first()
            && known.stamp == stamp
        {
            return Ok(Input::File { path, digest: known.digest, size: stamp.size, executable });
        }
        let content = content::hash(CWD, &path, name)?;
        if let Some(known) = content.known("", began) {
            // A cache that cannot be written costs time, never correctness.
            let _ = stat_cache::save(&location, &[known]);
        }
        let content::Content { digest, executable, stamp, own_clock: _ } = content;
        Ok(Input::File { path, digest, size: stamp.size, executable })
    }

    fn read_tree(&self, root: PathBuf, name: &str) -> Result<Input, Error> {
        let began = (self.now)();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(&root, flags, Mode::empty()).map_err(|errno| unreadable(name, errno))?;
        let location = stat_cache::location(&self.cache, &root);
        let manifest = tree::read(opened.as_fd(), name, &location, began)?;
        Ok(Input::Tree { root, digest: manifest.digest(), manifest: Arc::new(manifest) })
    }
}

impl content::Content {
    /// What a later run may believe of this file: nothing where a change since `began` could have left it
    /// with the same stamp.
    pub(super) fn known<'a>(&self, path: &'a str, began: i64) -> Option<Known<'a>> {
        let Self { digest, executable: _, stamp, own_clock } = self;
        (*own_clock && stamp.settled(began)).then_some(Known {
            path,
            stamp: *stamp,
            digest: *digest,
        })
    }
}
