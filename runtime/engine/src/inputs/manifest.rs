use super::encoding::{Decoder, Encoder};
use crate::Digest;
use serde::{Deserialize, Serialize};

/// What is below a directory: every entry, sorted by path, without times or owners.
///
/// It is the content of a tree as keys see it: modes are `executable` or not, as git keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Sorted by path, bytewise; a directory precedes what is in it. The root itself is not listed.
    pub entries: Vec<Entry>,
}

/// One entry of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the root, `/` between components.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Of its content.
        digest: Digest,
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// As stored, not resolved.
        target: String,
    },
}

/// Bytes that are no canonical manifest of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a manifest of this version")]
pub struct NotAManifest;

/// First in every encoded manifest. Its number is the format's version: a change of the format is a
/// change of every tree's digest.
const MAGIC: &[u8] = b"kiln manifest 1\n";

const DIRECTORY: u8 = 1;
const FILE: u8 = 2;
const EXECUTABLE: u8 = 3;
const LINK: u8 = 4;

impl Manifest {
    /// The canonical encoding: equal manifests have equal bytes, different ones different bytes. Its
    /// blake3 is the digest of the tree.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_capacity(MAGIC.len() + 8 + self.entries.len() * 96);
        encoder.raw(MAGIC);
        encoder.number(self.entries.len() as u64);
        for Entry { path, kind } in &self.entries {
            match kind {
                EntryKind::Directory => {
                    encoder.tag(DIRECTORY);
                    encoder.text(path);
                }
                EntryKind::File { digest, size, executable } => {
                    encoder.tag(if *executable { EXECUTABLE } else { FILE });
                    encoder.text(path);
                    encoder.number(*size);
                    encoder.raw(digest.as_bytes());
                }
                EntryKind::Link { target } => {
                    encoder.tag(LINK);
                    encoder.text(path);
                    encoder.text(target);
                }
            }
        }
        encoder.finish()
    }

    /// The manifest that [`Manifest::to_bytes`] wrote.
    ///
    /// # Errors
    /// On anything else: other versions, entries out of order, paths that leave the tree, bytes left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAManifest> {
        let mut decoder = Decoder::new(bytes);
        if decoder.raw(MAGIC.len()) != Some(MAGIC) {
            return Err(NotAManifest);
        }
        let count = decoder.number().ok_or(NotAManifest)?;
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let entry = decode_entry(&mut decoder).ok_or(NotAManifest)?;
            if entries.last().is_some_and(|last| last.path >= entry.path) {
                return Err(NotAManifest);
            }
            entries.push(entry);
        }
        if decoder.is_empty() { Ok(Self { entries }) } else { Err(NotAManifest) }
    }

    /// The digest of the tree: blake3 of [`Manifest::to_bytes`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

fn decode_entry(decoder: &mut Decoder<'_>) -> Option<Entry> {
    let tag = decoder.tag()?;
    let path = decoder.text()?;
    if path.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return None;
    }
    let kind = match tag {
        DIRECTORY => EntryKind::Directory,
        FILE | EXECUTABLE => {
            let size = decoder.number()?;
            let digest = decoder.array::<32>()?.into();
            EntryKind::File { digest, size, executable: tag == EXECUTABLE }
        }
        LINK => EntryKind::Link { target: decoder.text()?.to_owned() },
        _ => return None,
    };
    Some(Entry { path: path.to_owned(), kind })
}
