use super::Chain;
use async_trait::async_trait;
use kiln_engine::driver::{Artifact, ArtifactIndex};
use kiln_engine::store::read_checked;
use kiln_engine::{CacheKey, Digest, Error};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::task::block_in_place;

/// The artifacts of a store, to be looked up. Reading it needs no root and changes nothing.
#[derive(Debug, Clone)]
pub struct LayerIndex {
    /// The sandbox's part of the store.
    pub(super) dir: PathBuf,
}

#[async_trait]
impl ArtifactIndex for LayerIndex {
    fn format(&self) -> &'static str {
        "sandbox 1"
    }

    fn gives_outputs(&self) -> bool {
        true
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        Ok(block_in_place(|| self.look_up(keys)))
    }
}

impl LayerIndex {
    /// The index of a store. One that is not there has no artifacts.
    #[must_use]
    pub fn of(store: &Path) -> Self {
        Self { dir: store.join("sandbox") }
    }

    /// The artifacts of these keys. Whether they are there is checked, not what they hold.
    pub(crate) fn look_up(&self, keys: &[CacheKey]) -> Vec<Option<Artifact>> {
        let ids: Vec<Option<Digest>> = keys.par_iter().map(|key| self.indexed(*key)).collect();
        let mut known = BTreeMap::new();
        ids.into_iter()
            .map(|id| id.filter(|id| self.is_complete(*id, &mut known)).map(artifact))
            .collect()
    }

    fn indexed(&self, key: CacheKey) -> Option<Digest> {
        let body = read_checked(&self.index(key))?;
        std::str::from_utf8(&body).ok()?.parse().ok()
    }

    /// Whether every layer of a chain is there.
    fn is_complete(&self, id: Digest, known: &mut BTreeMap<Digest, bool>) -> bool {
        let mut walked = Vec::new();
        let mut next = Some(id);
        let mut complete = true;
        while let Some(id) = next {
            if let Some(answer) = known.get(&id) {
                complete = *answer;
                break;
            }
            walked.push(id);
            let chain = Chain::read(&self.chain(id), id);
            let Some(chain) =
                chain.filter(|chain| self.layer(chain.diff).join("manifest").exists())
            else {
                complete = false;
                break;
            };
            next = chain.parent;
        }
        // Everything above a layer that is missing is missing; what is below it was not looked at.
        known.extend(walked.into_iter().map(|id| (id, complete)));
        complete
    }

    pub(super) fn index(&self, key: CacheKey) -> PathBuf {
        self.dir.join("index").join(key.to_string())
    }

    pub(super) fn chain(&self, id: Digest) -> PathBuf {
        self.dir.join("chains").join(id.to_string())
    }

    /// Half of the digits: the paths of a hundred layers must fit into one mount.
    pub(super) fn layer(&self, diff: Digest) -> PathBuf {
        self.dir.join("layers").join(&diff.to_string()[..32])
    }
}

pub(super) fn artifact(id: Digest) -> Artifact {
    Artifact { id: id.to_string(), output: Some(id) }
}
