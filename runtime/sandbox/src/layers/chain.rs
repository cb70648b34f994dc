use crate::fault::Fault;
use kiln_engine::store::{read_checked, write_checked};
use kiln_engine::{Digest, Error};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A layer and everything below it: one root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    /// What it stands on; `None`: nothing.
    pub(crate) parent: Option<Digest>,
    /// What the layer changes; see [`super::manifest`].
    pub(crate) diff: Digest,
    /// Bytes of the files in the layer.
    pub(crate) bytes: u64,
}

impl Chain {
    pub(crate) fn new(parent: Option<Digest>, diff: Digest, bytes: u64) -> Self {
        Self { parent, diff, bytes }
    }

    /// Equal for equal root file systems that were made of equal layers.
    pub(crate) fn id(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"kiln chain 1\0");
        match &self.parent {
            None => hasher.update(&[0]),
            Some(parent) => hasher.update(&[1]).update(parent.as_bytes()),
        };
        hasher.update(self.diff.as_bytes());
        hasher.finalize().into()
    }

    /// Reads the chain with this identity; `None` when it is not there or is another.
    pub(super) fn read(path: &Path, id: Digest) -> Option<Self> {
        let chain: Self = serde_json::from_slice(&read_checked(path)?).ok()?;
        (chain.id() == id).then_some(chain)
    }

    pub(super) fn write(&self, path: &Path, staging: &Path) -> Result<(), Error> {
        let body = serde_json::to_vec(self)
            .map_err(|cause| Error::environment("cannot encode a chain").caused_by(cause))?;
        write_checked(staging, path, &body).doing("write", path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_covers_the_parent_and_the_diff_and_nothing_else() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let chain = Chain::new(Some(a), b, 1);
        assert_eq!(chain.id(), Chain::new(Some(a), b, 2).id());
        assert_ne!(chain.id(), Chain::new(Some(b), a, 1).id());
        assert_ne!(chain.id(), Chain::new(None, b, 1).id());
    }
}
