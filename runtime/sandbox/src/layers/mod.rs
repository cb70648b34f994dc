//! Artifacts: the directories that layers became, how they stack, and the keys they answer to.
//!
//! Nothing is flushed to disk when a layer is kept: that would cost more than making it. Small files
//! carry a checksum, and what a power loss has torn out of one is a miss. A layer carries the number of
//! the boot that wrote it: when it is first used after another boot, its content is hashed in full and
//! compared; from then on it is known to be on disk. So a power loss costs a rebuild of what was built in
//! the seconds before it, and never a wrong image.

mod chain;
mod digest;
mod index;
mod manifest;
mod verify;

pub(crate) use crate::archive::EPOCH;
pub(crate) use chain::Chain;
pub use index::LayerIndex;

use crate::fault::Fault;
use crate::run::Run;
use kiln_engine::driver::Artifact;
use kiln_engine::store::write_checked;
use kiln_engine::{CacheKey, Digest, Error};
use manifest::LayerManifest;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// `index/`, `chains/` and `layers/` of the store.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) index: LayerIndex,
    run: Arc<Run>,
    verified: Mutex<BTreeSet<Digest>>,
}

impl Layers {
    pub(crate) fn open(dir: &Path, run: Arc<Run>) -> Result<Self, Error> {
        for part in ["index", "chains", "layers"] {
            let part = dir.join(part);
            std::fs::create_dir_all(&part).doing("make", &part)?;
        }
        Ok(Self { index: LayerIndex { dir: dir.to_owned() }, run, verified: Mutex::default() })
    }

    /// The layers of an artifact, top first, each verified once in the life of this process.
    ///
    /// # Errors
    /// Of kind [`kiln_engine::ErrorKind::Damaged`] when one is not what was stored; it is dropped.
    pub(crate) fn verified(&self, artifact: &Artifact) -> Result<Vec<Chain>, Error> {
        let unknown = || {
            Error::new(
                kiln_engine::ErrorKind::Damaged,
                format!("`{}` is not in the store any more", artifact.id),
            )
        };
        let mut next = Some(artifact.id.parse::<Digest>().map_err(|_| unknown())?);
        let mut chains = Vec::new();
        while let Some(id) = next {
            let chain = Chain::read(&self.index.chain(id), id).ok_or_else(unknown)?;
            self.verify(chain.diff)?;
            next = chain.parent;
            chains.push(chain);
        }
        Ok(chains)
    }

    fn verify(&self, diff: Digest) -> Result<(), Error> {
        let known = || self.verified.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known().contains(&diff) {
            return Ok(());
        }
        let dir = self.index.layer(diff);
        if !verify::is_intact(&dir, diff, self.run.dir())? {
            self.run.discard(&dir)?;
            return Err(Error::new(
                kiln_engine::ErrorKind::Damaged,
                format!("layer `{}` in the store was damaged and has been dropped", diff.short()),
            )
            .help("bake again: it is rebuilt"));
        }
        known().insert(diff);
        Ok(())
    }

    /// Keeps an upper directory as the layer on top of `parent`, under `key`. The directory is moved.
    pub(crate) fn keep(
        &self,
        upper: &Path,
        parent: Option<Digest>,
        key: CacheKey,
    ) -> Result<(Artifact, Chain), Error> {
        let chain = self.stack(upper, parent)?;
        let id = chain.id();
        let named = self.index.index(key);
        write_checked(self.run.dir(), &named, id.to_string().as_bytes()).doing("write", &named)?;
        Ok((index::artifact(id), chain))
    }

    /// Keeps an upper directory as the layer on top of `parent`, under no key.
    pub(crate) fn stack(&self, upper: &Path, parent: Option<Digest>) -> Result<Chain, Error> {
        let staged = self.run.make_dir("layer-")?;
        let root = staged.join("fs");
        // Before anything is recorded of it: a rename changes the change time.
        std::fs::rename(upper, &root).doing("move", upper)?;
        let manifest = LayerManifest::of(&root, manifest::Times::Set)?;
        let diff = manifest.digest();
        manifest.write(&staged.join("manifest"), self.run.dir())?;
        let kept = self.index.layer(diff);
        if std::fs::rename(&staged, &kept).is_err() {
            // The same content, from another key or another process, was first.
            if verify::is_intact(&kept, diff, self.run.dir())? {
                self.run.discard(&staged)?;
            } else {
                self.run.discard(&kept)?;
                std::fs::rename(&staged, &kept).doing("move a layer to", &kept)?;
            }
        }
        let chain = Chain::new(parent, diff, manifest.bytes());
        chain.write(&self.index.chain(chain.id()), self.run.dir())?;
        self.verified.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(diff);
        Ok(chain)
    }

    /// The root of what a layer holds.
    pub(crate) fn root(&self, diff: Digest) -> PathBuf {
        self.index.layer(diff).join("fs")
    }
}
