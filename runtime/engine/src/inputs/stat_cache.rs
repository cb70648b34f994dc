//! Digests of earlier runs, each with the stamp that the file had then.
//!
//! One file per input, named by its absolute path. Always replaced whole, by renaming: a reader sees the
//! old one or the new one, and of two writers the later wins. It may be removed at any time.

use super::encoding::{Decoder, Encoder};
use super::stamp::Stamp;
use crate::Digest;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One file whose content need not be read again while its stamp stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known<'a> {
    /// Relative to the root of the input; empty where the input is a file.
    pub(super) path: &'a str,
    pub(super) stamp: Stamp,
    pub(super) digest: Digest,
}

/// First in every cache. Its number is the format's version: a cache of another version is ignored.
const MAGIC: &[u8] = b"kiln stat cache 1\n";
const CHECKSUM: usize = blake3::OUT_LEN;

/// Where the cache for this input lies.
pub(super) fn location(directory: &Path, input: &Path) -> PathBuf {
    directory.join(Digest::of(input.as_os_str().as_bytes()).to_string())
}

/// The bytes of a cache that arrived as they were written; none where there is none, or a damaged one.
pub(super) fn load(location: &Path) -> Vec<u8> {
    let Ok(mut bytes) = fs::read(location) else { return Vec::new() };
    let Some(body) = bytes.len().checked_sub(CHECKSUM) else { return Vec::new() };
    let sum = checksum(&bytes[..body]);
    if bytes[body..] != sum || !bytes.starts_with(MAGIC) {
        return Vec::new();
    }
    bytes.truncate(body);
    bytes.drain(..MAGIC.len());
    bytes
}

/// What [`load`] found, sorted by path.
pub(super) fn decode(bytes: &[u8]) -> Vec<Known<'_>> {
    let mut decoder = Decoder::new(bytes);
    let mut known = Vec::with_capacity(bytes.len() / 96);
    while let Some(next) = decode_one(&mut decoder) {
        known.push(next);
    }
    known
}

fn decode_one<'a>(decoder: &mut Decoder<'a>) -> Option<Known<'a>> {
    let path = decoder.text()?;
    let stamp = Stamp {
        size: decoder.number()?,
        modified: decoder.number()?.cast_signed(),
        changed: decoder.number()?.cast_signed(),
        inode: decoder.number()?,
        device: decoder.number()?,
    };
    let digest = decoder.array::<32>()?.into();
    Some(Known { path, stamp, digest })
}

/// Replaces the cache; `known` is sorted by path.
///
/// Not synced to the disk: what a power cut leaves behind is damaged, and so ignored.
///
/// # Errors
/// Where the directory cannot be written. The digests are right all the same.
pub(super) fn save(location: &Path, known: &[Known<'_>]) -> io::Result<()> {
    let Some(directory) = location.parent() else { return Ok(()) };
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(directory)?;
    file.write_all(&encode(known))?;
    file.persist(location)?;
    Ok(())
}

fn encode(known: &[Known<'_>]) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(MAGIC.len() + CHECKSUM + known.len() * 128);
    encoder.raw(MAGIC);
    for Known { path, stamp, digest } in known {
        let Stamp { size, modified, changed, inode, device } = stamp;
        encoder.text(path);
        encoder.number(*size);
        encoder.number(modified.cast_unsigned());
        encoder.number(changed.cast_unsigned());
        encoder.number(*inode);
        encoder.number(*device);
        encoder.raw(digest.as_bytes());
    }
    let mut bytes = encoder.finish();
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    *blake3::Hasher::new().update_rayon(bytes).finalize().as_bytes()
}
