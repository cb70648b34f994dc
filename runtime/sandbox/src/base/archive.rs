use crate::archive::{Whiteouts, open, unpack as unpack_tar};
use crate::fault::Fault;
use kiln::RootArchive;
use kiln_engine::{Digest, Error};
use sha2::Digest as _;
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Unpacks a root archive whose digest is known into a new directory.
pub(super) fn unpack(recipe: &Path, archive: &RootArchive, into: &Path) -> Result<(), Error> {
    let path = recipe.join(&archive.path);
    let read = |path: &Path| {
        std::fs::metadata(path).map_err(|cause| {
            Error::input(format!("cannot read the archive `{}`", path.display())).caused_by(cause)
        })
    };
    let before = stamp(&read(&path)?);
    let found = digest(&path, &archive.digest)?;
    if found != archive.digest {
        return Err(Error::input(format!(
            "`{}` has digest `{found}`, and the recipe says `{}`",
            archive.path, archive.digest
        ))
        .help("get the file that the recipe means, or correct the digest"));
    }
    std::fs::create_dir(into).doing("make", into)?;
    unpack_tar(open(&path)?, into, Whiteouts::None)?;
    if stamp(&read(&path)?) != before {
        return Err(Error::input(format!(
            "`{}` changed while the image was being baked",
            archive.path
        ))
        .help("bake again"));
    }
    Ok(())
}

fn digest(path: &Path, like: &str) -> Result<String, Error> {
    if like.starts_with("blake3:") {
        let mut hasher = blake3::Hasher::new();
        hasher.update_mmap_rayon(path).doing("read", path)?;
        return Ok(format!("blake3:{}", Digest::from(hasher.finalize())));
    }
    let mut file = std::fs::File::open(path).doing("read", path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).doing("read", path)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

fn stamp(meta: &Metadata) -> [i64; 6] {
    let number = |value: u64| i64::try_from(value).unwrap_or_default();
    let (inode, size) = (number(meta.ino()), number(meta.size()));
    [inode, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]
}
