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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn manifests() -> impl Strategy<Value = Manifest> {
        let kind = prop_oneof![
            Just(EntryKind::Directory),
            (any::<u64>(), any::<bool>(), any::<u8>()).prop_map(|(size, executable, seed)| {
                EntryKind::File { digest: Digest::of(&[seed]), size, executable }
            }),
            ".{0,5}".prop_map(|target| EntryKind::Link { target }),
        ];
        let path = proptest::collection::vec("[a-c\n\u{e9}-]{1,2}", 1..3)
            .prop_map(|components| components.join("/"));
        let sorted: BoxedStrategy<BTreeMap<String, EntryKind>> =
            proptest::collection::btree_map(path, kind, 0..6).boxed();
        sorted.prop_map(|entries| Manifest {
            entries: entries.into_iter().map(|(path, kind)| Entry { path, kind }).collect(),
        })
    }

    proptest! {
        #[test]
        fn encoding_gives_back_what_was_encoded(manifest in manifests()) {
            prop_assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Ok(manifest));
        }

        #[test]
        fn only_equal_manifests_have_equal_bytes_and_no_difference(
            one in manifests(),
            other in manifests(),
        ) {
            prop_assert_eq!(one.to_bytes() == other.to_bytes(), one == other);
            prop_assert_eq!(one.first_difference(&other).is_none(), one == other);
            prop_assert_eq!(one.first_difference(&one), None);
        }

        #[test]
        fn damaged_bytes_decode_to_another_manifest_or_to_none(
            manifest in manifests(),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut bytes = manifest.to_bytes();
            let place = place.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
            if let Ok(decoded) = Manifest::from_bytes(&bytes) {
                prop_assert_ne!(&decoded, &manifest);
                prop_assert_eq!(decoded.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn manifest_out_of_order_or_with_more_behind_it_is_refused() {
        let entry = |path: &str| Entry { path: path.to_owned(), kind: EntryKind::Directory };
        let encoded = |paths: &[&str]| {
            Manifest { entries: paths.iter().map(|path| entry(path)).collect() }.to_bytes()
        };
        assert!(Manifest::from_bytes(&encoded(&["a", "b"])).is_ok());
        for paths in [&["b", "a"][..], &["a", "a"], &["../a"], &["/a"], &["a//b"], &["."], &[""]] {
            assert_eq!(Manifest::from_bytes(&encoded(paths)), Err(NotAManifest), "{paths:?}");
        }
        let mut longer = encoded(&["a"]);
        longer.push(0);
        assert_eq!(Manifest::from_bytes(&longer), Err(NotAManifest));
    }

    #[test]
    fn bytes_of_a_manifest_are_pinned() {
        let manifest = Manifest {
            entries: vec![
                Entry { path: "d".to_owned(), kind: EntryKind::Directory },
                Entry {
                    path: "d/x".to_owned(),
                    kind: EntryKind::File { digest: [7; 32].into(), size: 5, executable: true },
                },
                Entry { path: "l".to_owned(), kind: EntryKind::Link { target: "d".to_owned() } },
            ],
        };
        let mut expected = b"kiln manifest 1\n".to_vec();
        expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([1, 1, 0, 0, 0, 0, 0, 0, 0, b'd']);
        expected.extend([3, 3, 0, 0, 0, 0, 0, 0, 0, b'd', b'/', b'x']);
        expected.extend([5, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([7; 32]);
        expected.extend([4, 1, 0, 0, 0, 0, 0, 0, 0, b'l', 1, 0, 0, 0, 0, 0, 0, 0, b'd']);
        assert_eq!(manifest.to_bytes(), expected);
    }
}
