use crate::bench::measure;
use crate::bench::place::{MOUNTED, Place};
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// GiB of the file system; its file is sparse.
const SIZE: u64 = 16;

/// A new ext4 with a journal, as servers have it, in a file of the benchmark's place.
///
/// Without a journal ext4 uses no inode again that was freed in the last minutes, and looks at each of them whenever a
/// file is made: what is measured then is how many files the round before has removed.
pub(super) struct Journalled(PathBuf);

impl Journalled {
    pub(super) fn mount(place: &Place) -> Result<Self> {
        let image = place.path().join("ext4");
        File::create(&image)?.set_len(SIZE << 30).context("cannot make a disk's file")?;
        measure::run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let at = place.dir(MOUNTED)?;
        measure::run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at))?;
        Ok(Self(at))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Journalled {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
