use super::Placing;
use super::file::{From, Source, changed, link, write};
use super::root::Root;
use crate::fault::Fault;
use kiln_engine::Error;
use kiln_engine::inputs::{Entry, EntryKind, Manifest};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmodat, chownat, fchmod, fchown, mkdirat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Makes sure of a directory with this mode and owner.
pub(super) fn directory(root: &Root, dest: &str, placing: &Placing) -> Result<(), Error> {
    let mode = placing.directory_mode.or(placing.mode).unwrap_or(0o755);
    ensure(root, dest, mode, placing, true)
}

/// Lays a tree over what is at a path. Directories that are there keep their mode and owner, unless the
/// recipe names a mode for directories.
pub(super) fn lay(
    root: &Root,
    dest: &str,
    from: &Path,
    manifest: &Manifest,
    placing: &Placing,
) -> Result<(), Error> {
    if !from.is_dir() {
        return Err(super::file::vanished(from));
    }
    let mode = placing.directory_mode.unwrap_or(0o755);
    let replace = placing.directory_mode.is_some();
    ensure(root, dest, mode, placing, replace)?;
    let mut members: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    // Parents come before what is in them.
    for entry in &manifest.entries {
        let (parent, _) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        if matches!(entry.kind, EntryKind::Directory) {
            ensure(root, &format!("{dest}/{}", entry.path), mode, placing, replace)?;
        } else {
            members.entry(parent).or_default().push(entry);
        }
    }
    members.into_par_iter().try_for_each(|(parent, entries)| {
        let dir = if parent.is_empty() { dest.to_owned() } else { format!("{dest}/{parent}") };
        let dir = root
            .at(&dir, OFlags::PATH | OFlags::DIRECTORY)
            .doing("open in the image", Path::new(&dir))?;
        entries
            .into_par_iter()
            .with_min_len(64)
            .try_for_each(|entry| member(&dir, dest, from, entry, placing))
    })
}

fn member(
    dir: &OwnedFd,
    dest: &str,
    from: &Path,
    entry: &Entry,
    placing: &Placing,
) -> Result<(), Error> {
    let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
    let shown = format!("{dest}/{}", entry.path);
    let source = from.join(&entry.path);
    match &entry.kind {
        EntryKind::Directory => Ok(()),
        EntryKind::File { digest, executable, .. } => {
            let opened = Source::open_member(&source, &source)?;
            let mode = placing.file_mode(*executable);
            write(dir, name, &shown, From::Input(opened, *digest), mode, placing)
        }
        EntryKind::Link { target } => {
            if std::fs::read_link(&source).ok().as_deref() != Some(Path::new(target)) {
                return Err(changed(&source));
            }
            link(dir, name, &shown, target, placing)
        }
    }
}

/// Makes sure of a directory. One that is there is given the mode and owner only when told to.
fn ensure(
    root: &Root,
    dest: &str,
    mode: u32,
    placing: &Placing,
    replace: bool,
) -> Result<(), Error> {
    let image = Path::new(dest);
    let (parent, name) = root.make_parent(dest)?;
    let mode = Mode::from_raw_mode(mode);
    let (uid, gid) = (Uid::from_raw(placing.uid), Gid::from_raw(placing.gid));
    match mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .and_then(|()| chmodat(&parent, name, mode, AtFlags::empty()))
            .doing("make in the image", image),
        Err(Errno::EXIST) => {
            // A link to a directory is one.
            let there = root.make_dirs(dest)?;
            if !replace {
                return Ok(());
            }
            let there = rustix::fs::openat(
                &there,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .doing("open in the image", image)?;
            fchown(&there, Some(uid), Some(gid))
                .and_then(|()| fchmod(&there, mode))
                .doing("set the owner and mode of", image)
        }
        Err(error) => Err(error).doing("make in the image", image),
    }
}
