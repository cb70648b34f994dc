use kiln_engine::driver::{Content, PutAction};
use kiln_engine::inputs::{EntryKind, Manifest};
use kiln_engine::{Digest, Error};
use kiln_ssh::{Archive, Directories, Ids, Owner, Unpack};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tar::{Builder, EntryType, Header};

/// The time of what is put: that of what the other builders make. `passwd` reads day 0 as "must change the
/// password", so it is not 1970.
pub(super) const EPOCH: u64 = 1_577_836_800;

/// What a step would see, and what the image would not hold.
const UNSEEN: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/tmp"];

/// A [`PutAction`] as an archive that is laid over the root. What is read is compared with what was planned.
///
/// # Errors
/// When the destination is none that an image holds.
pub(super) fn unpack(action: &PutAction) -> Result<Unpack, Error> {
    let PutAction { dest, content, mode, directory_mode, owner } = action;
    refuse_unseen(dest)?;
    let mode = mode.map(|mode| mode.0);
    let directory_mode = directory_mode.map(|mode| mode.0);
    let place = Place { path: dest.trim_start_matches('/').to_owned(), mode, directory_mode };
    let directories = match content {
        Content::Directory => Directories::Replace,
        _ if directory_mode.is_some() => Directories::Replace,
        _ => Directories::Keep,
    };
    let content = content.clone();
    Ok(Unpack {
        into: "/".into(),
        owner: Owner { user: owner.user.clone(), group: owner.group.clone() },
        directories,
        archive: Archive::new(move |to, ids| write(to, ids, &place, &content)),
    })
}

pub(super) fn refuse_unseen(dest: &str) -> Result<(), Error> {
    let is_below = |dir: &&&str| {
        dest.strip_prefix(**dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match UNSEEN.iter().find(is_below) {
        None => Ok(()),
        Some(dir) => Err(Error::input(format!("`{dest}` would not be in the image"))
            .help(format!("what is in `{dir}` is made anew at each boot: put it elsewhere"))),
    }
}

struct Place {
    /// Relative to the root.
    path: String,
    mode: Option<u32>,
    directory_mode: Option<u32>,
}

fn write(to: &mut dyn Write, ids: Ids, place: &Place, content: &Content) -> io::Result<()> {
    let mut archive = Builder::new(to);
    archive.mode(tar::HeaderMode::Deterministic);
    let path = place.path.as_str();
    let file_mode = |executable: bool| place.mode.unwrap_or(if executable { 0o755 } else { 0o644 });
    match content {
        Content::File { path: from, digest, executable } => {
            file(&mut archive, ids, path, file_mode(*executable), from, *digest)?;
        }
        Content::Bytes(bytes) => {
            let mut header = header(ids, EntryType::Regular, file_mode(false));
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, &bytes[..])?;
        }
        Content::Link(target) => link(&mut archive, ids, path, target)?,
        Content::Directory => {
            let mode = place.directory_mode.or(place.mode).unwrap_or(0o755);
            directory(&mut archive, ids, path, mode)?;
        }
        Content::Tree { root, manifest } => tree(&mut archive, ids, place, root, manifest)?,
    }
    archive.into_inner()?.flush()
}

fn tree(
    archive: &mut Builder<&mut dyn Write>,
    ids: Ids,
    place: &Place,
    root: &Path,
    manifest: &Arc<Manifest>,
) -> io::Result<()> {
    if !root.is_dir() {
        return Err(told(vanished(root)));
    }
    let directory_mode = place.directory_mode.unwrap_or(0o755);
    directory(archive, ids, &place.path, directory_mode)?;
    for entry in &manifest.entries {
        let path = format!("{}/{}", place.path, entry.path);
        let from = root.join(&entry.path);
        match &entry.kind {
            EntryKind::Directory => directory(archive, ids, &path, directory_mode)?,
            EntryKind::File { digest, executable, .. } => {
                let mode = place.mode.unwrap_or(if *executable { 0o755 } else { 0o644 });
                file(archive, ids, &path, mode, &from, *digest)?;
            }
            EntryKind::Link { target } => {
                if std::fs::read_link(&from).ok().as_deref() != Some(Path::new(target)) {
                    return Err(told(changed(&from)));
                }
                link(archive, ids, &path, target)?;
            }
        }
    }
    Ok(())
}

fn file(
    archive: &mut Builder<&mut dyn Write>,
    ids: Ids,
    path: &str,
    mode: u32,
    from: &Path,
    digest: Digest,
) -> io::Result<()> {
    let opened = File::open(from).map_err(|error| told(unreadable(from, error)))?;
    let size = opened.metadata().map_err(|error| told(unreadable(from, error)))?.len();
    let mut header = header(ids, EntryType::Regular, mode);
    header.set_size(size);
    let mut source =
        Hashed { from, file: opened.take(size), left: size, hasher: blake3::Hasher::new() };
    archive.append_data(&mut header, path, &mut source)?;
    // A file that has grown has another digest than its beginning.
    let grown = source.file.into_inner().read(&mut [0])? > 0;
    if grown || Digest::from(source.hasher.finalize()) != digest {
        return Err(told(changed(from)));
    }
    Ok(())
}

/// Hashes what passes. A file that ends early fills the room that the archive has for it, and is found out
/// by its digest.
struct Hashed<'a> {
    from: &'a Path,
    file: io::Take<File>,
    left: u64,
    hasher: blake3::Hasher,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(told(changed(self.from)));
        }
        self.left -= count as u64;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

fn directory(
    archive: &mut Builder<&mut dyn Write>,
    ids: Ids,
    path: &str,
    mode: u32,
) -> io::Result<()> {
    let mut header = header(ids, EntryType::Directory, mode);
    archive.append_data(&mut header, format!("{path}/"), io::empty())
}

fn link(
    archive: &mut Builder<&mut dyn Write>,
    ids: Ids,
    path: &str,
    target: &str,
) -> io::Result<()> {
    let mut header = header(ids, EntryType::Symlink, 0o777);
    archive.append_link(&mut header, path, target)
}

fn header(ids: Ids, kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(u64::from(ids.uid));
    header.set_gid(u64::from(ids.gid));
    header.set_mtime(EPOCH);
    header.set_size(0);
    header
}

/// The archive's writer passes on nothing but errors of input and output: ours travels inside.
pub(super) fn told(error: Error) -> io::Error {
    io::Error::other(error)
}

fn changed(path: &Path) -> Error {
    Error::input(format!("`{}` changed while the image was being baked", path.display()))
        .help("bake again")
}

fn vanished(path: &Path) -> Error {
    Error::input(format!("`{}` vanished while the image was being baked", path.display()))
        .help("put it back, or take it out of the recipe")
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return vanished(path);
    }
    Error::input(format!("cannot read `{}`", path.display())).caused_by(error)
}

/// A script of the recipe, as the only file of an archive.
///
/// # Errors
/// When it is not what was planned.
pub(super) fn script(path: &Path, name: &str, digest: Digest) -> Result<Archive, Error> {
    let content = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    if Digest::of(&content) != digest {
        return Err(changed(path));
    }
    if !content.starts_with(b"#!") && !content.starts_with(b"\x7fELF") {
        return Err(Error::input(format!("script `{}` has no `#!` line", path.display()))
            .help("begin it with `#!/bin/sh`"));
    }
    let name = name.to_owned();
    Ok(Archive::new(move |to, ids| {
        let mut archive = Builder::new(to);
        let mut header = header(ids, EntryType::Regular, 0o755);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, &name, &content[..])?;
        archive.into_inner()?.flush()
    }))
}

/// Files of this machine under names of their own, as an archive.
pub(super) fn files(files: Vec<(PathBuf, String)>) -> Archive {
    Archive::new(move |to, ids| {
        let mut archive = Builder::new(to);
        for (path, name) in &files {
            let mut file = File::open(path)?;
            let mut header = header(ids, EntryType::Regular, 0o644);
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, name, &mut file)?;
        }
        archive.into_inner()?.flush()
    })
}
