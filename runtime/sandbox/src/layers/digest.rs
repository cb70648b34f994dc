use super::manifest::{Content, Entry};
use crate::fault::Fault;
use kiln_engine::{Digest, Error};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Files larger than this are hashed by several threads.
const LARGE: u64 = 1 << 20;

/// The digest of sorted entries: tagged, length-prefixed fields. Times, inodes and link counts are not in it.
pub(super) fn of(entries: &[Entry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"kiln layer 1\0");
    let mut record = Vec::with_capacity(256);
    for entry in entries {
        let Entry { path, content, mode, uid, gid, attributes, stamp: _ } = entry;
        record.clear();
        bytes(&mut record, path);
        number(&mut record, u64::from(*mode));
        number(&mut record, u64::from(*uid));
        number(&mut record, u64::from(*gid));
        number(&mut record, attributes.len() as u64);
        for (name, value) in attributes {
            bytes(&mut record, name);
            bytes(&mut record, value);
        }
        match content {
            Content::Directory { opaque } => record.extend([1, u8::from(*opaque)]),
            Content::File { digest, size } => {
                record.push(2);
                record.extend(digest.as_bytes());
                number(&mut record, *size);
            }
            Content::Link { target } => {
                record.push(3);
                bytes(&mut record, target);
            }
            Content::Device { block, major, minor } => {
                record.extend([4, u8::from(*block)]);
                number(&mut record, u64::from(*major));
                number(&mut record, u64::from(*minor));
            }
            Content::Pipe => record.push(5),
            Content::Socket => record.push(6),
        }
        hasher.update(&record);
    }
    hasher.finalize().into()
}

/// The digest of a file's content.
pub(super) fn of_file(path: &Path, size: u64) -> Result<Digest, Error> {
    if size == 0 {
        return Ok(Digest::of(b""));
    }
    let mut hasher = blake3::Hasher::new();
    if size > LARGE {
        hasher.update_mmap_rayon(path).doing("read", path)?;
        return Ok(hasher.finalize().into());
    }
    let mut content = Vec::with_capacity(usize::try_from(size + 1).unwrap_or_default());
    File::open(path).and_then(|mut file| file.read_to_end(&mut content)).doing("read", path)?;
    hasher.update(&content);
    Ok(hasher.finalize().into())
}

fn number(record: &mut Vec<u8>, value: u64) {
    record.extend(value.to_le_bytes());
}

fn bytes(record: &mut Vec<u8>, value: &[u8]) {
    number(record, value.len() as u64);
    record.extend(value);
}
