//! The rules of hashing, each with a real directory.

mod cache;
mod content;
mod refused;

use super::stat_cache::{self, Known};
use super::{EntryKind, Input, Inputs, Manifest, stamp};
use crate::{Digest, Error};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A root with a `site` tree, and a place for stat caches.
struct Checkout {
    directory: TempDir,
    inputs: Inputs,
}

/// A clock by which everything that exists has stood still for an hour.
fn an_hour_later() -> i64 {
    stamp::now() + 3_600_000_000_000
}

/// A clock by which everything that exists was written just now or later.
fn the_epoch() -> i64 {
    0
}

impl Checkout {
    fn new() -> Self {
        Self::with_clock(an_hour_later)
    }

    fn with_clock(now: fn() -> i64) -> Self {
        let directory = TempDir::new().unwrap();
        let inputs = Inputs::with_clock(directory.path().join("cache"), now);
        let checkout = Self { directory, inputs };
        fs::create_dir_all(checkout.path("site/empty")).unwrap();
        checkout.write("site/index.html", "<h1>hello</h1>");
        checkout.write("site/css/a.css", "a {}");
        checkout.write("site/css-old", "b {}");
        checkout.write("site/run.sh", "#!/bin/sh\n");
        checkout.chmod("site/run.sh", 0o755);
        symlink("index.html", checkout.path("site/latest")).unwrap();
        checkout
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn chmod(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, relative: &str) -> Result<Input, Error> {
        self.inputs.read(&self.root(), relative)
    }

    fn digest(&self, relative: &str) -> Digest {
        self.read(relative).unwrap().digest()
    }

    fn manifest(&self, relative: &str) -> Arc<Manifest> {
        match self.read(relative).unwrap() {
            Input::Tree { manifest, .. } => manifest,
            Input::File { .. } => panic!("`{relative}` is a file"),
        }
    }

    /// The message and the help, without this machine's paths.
    fn error(&self, relative: &str) -> String {
        let error = self.read(relative).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Input);
        assert_eq!(error.origin(), None);
        self.shown(&error)
    }

    fn shown(&self, error: &Error) -> String {
        format!("{}\nhelp: {}", error.chain(), error.help_text().unwrap_or("none"))
            .replace(self.root().to_str().unwrap(), "ROOT")
    }

    fn cache(&self, relative: &str) -> PathBuf {
        let input = self.path(relative).canonicalize().unwrap();
        stat_cache::location(&self.directory.path().join("cache"), &input)
    }

    /// What the stat cache holds about an input.
    fn known(&self, relative: &str) -> Vec<(String, Digest)> {
        let bytes = stat_cache::load(&self.cache(relative));
        let known = stat_cache::decode(&bytes).into_iter();
        known.map(|Known { path, stamp: _, digest }| (path.to_owned(), digest)).collect()
    }

    /// Makes the stat cache lie about every file, so that believing it shows.
    fn poison(&self, relative: &str) {
        let bytes = stat_cache::load(&self.cache(relative));
        let mut known = stat_cache::decode(&bytes);
        assert!(!known.is_empty(), "nothing to poison");
        for known in &mut known {
            known.digest = poison();
        }
        stat_cache::save(&self.cache(relative), &known).unwrap();
    }

    /// Whether any digest of this input is the poison.
    fn believes_the_poison(&self, relative: &str) -> bool {
        match self.read(relative).unwrap() {
            Input::File { digest, .. } => digest == poison(),
            Input::Tree { manifest, .. } => manifest.entries.iter().any(
                |entry| matches!(&entry.kind, EntryKind::File { digest, .. } if *digest == poison()),
            ),
        }
    }
}

fn poison() -> Digest {
    Digest::of(b"poison")
}

fn set_modified(path: &Path, seconds: i64, nanoseconds: i64) {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: omit, last_modification: modified };
    utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

/// Writes until the kernel's clock has moved on from what the file was stamped with, as any write does
/// that comes a tick later.
fn rewrite_in_a_later_tick(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap();
    loop {
        fs::write(path, text).unwrap();
        set_modified(path, before.mtime(), before.mtime_nsec());
        let after = fs::metadata(path).unwrap();
        assert_eq!((after.size(), after.ino()), (before.size(), before.ino()));
        if (after.ctime(), after.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
            return;
        }
    }
}
