use super::export::{Exported, cannot_write};
use crate::archive::{Entry, Metadata, TarWriter};
use kiln_engine::Error;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Makes a layout beside `to` and archives it there as a single file.
pub(super) fn export(
    to: &Path,
    make: impl FnOnce(&Path) -> Result<Exported, Error>,
) -> Result<Exported, Error> {
    let failed = |error: io::Error| cannot_write(to, error);
    let beside = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let layout =
        tempfile::Builder::new().prefix(".kiln-export-").tempdir_in(beside).map_err(failed)?;
    let exported = make(layout.path())?;
    let file = tempfile::NamedTempFile::new_in(beside).map_err(failed)?;
    let mut tar = TarWriter::new(BufWriter::with_capacity(1 << 18, file));
    archive(layout.path(), &mut tar).map_err(failed)?;
    let file =
        tar.finish().map_err(failed)?.into_inner().map_err(|error| failed(error.into_error()))?;
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .map_err(failed)?;
    file.persist(to).map_err(|error| failed(error.error))?;
    Ok(exported)
}

fn archive(layout: &Path, tar: &mut TarWriter<impl Write>) -> io::Result<()> {
    let of = |mode| Metadata { uid: 0, gid: 0, mode, xattrs: BTreeMap::new() };
    tar.header(b"blobs/", Entry::Directory, &of(0o755))?;
    tar.header(b"blobs/sha256/", Entry::Directory, &of(0o755))?;
    let mut names = Vec::new();
    for entry in fs::read_dir(layout.join("blobs/sha256"))? {
        names.push(format!("blobs/sha256/{}", entry?.file_name().to_string_lossy()));
    }
    names.sort_unstable();
    names.extend(["index.json".to_owned(), "oci-layout".to_owned()]);
    let mut buffer = vec![0; 1 << 18];
    for name in names {
        let mut file = File::open(layout.join(&name))?;
        tar.header(name.as_bytes(), Entry::File(file.metadata()?.len()), &of(0o644))?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => tar.content(&buffer[..read])?,
            }
        }
    }
    Ok(())
}
