//! The plan: what is cached, what is built, and why. Nothing is touched.

mod difference;
mod image_record;
mod keyed;
mod why;

pub use image_record::{ImageRecord, LayerRecord};
pub use keyed::KeyedGraph;
pub use why::Why;

use crate::driver::{Artifact, ArtifactIndex};
use crate::graph::Graph;
use crate::key::{Parent, cache_key};
use crate::lock::EntryId;
use crate::store::Store;
use crate::{CacheKey, Error};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// What a bake will do.
#[derive(Debug)]
pub struct Plan {
    /// The nodes of the wanted images, parents first.
    pub nodes: BTreeMap<NodeIndex, Planned>,
}

/// What happens to one node.
#[derive(Debug, Clone)]
pub enum Planned {
    /// It is there.
    Cached {
        /// Under this key.
        key: CacheKey,
        /// What it became.
        artifact: Artifact,
    },
    /// It is built.
    Build {
        /// Its key; `None` until what it stands on is built, or what it needs is locked.
        key: Option<CacheKey>,
        /// For what reason.
        why: Why,
    },
}

impl Planned {
    /// The artifact of a node that is there.
    #[must_use]
    pub fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Cached { artifact, .. } => Some(artifact),
            Self::Build { .. } => None,
        }
    }
}

impl Plan {
    /// Looks the wanted nodes up and says what a bake will do.
    ///
    /// On a driver with output digests a key is known when what the node stands on is there: the look-up
    /// goes down the graph, one batch a level. On any other, all keys are known at once: one batch. A base
    /// that somebody else keeps needs no look-up.
    ///
    /// # Errors
    /// When the driver cannot look up.
    pub async fn make(
        keyed: &KeyedGraph,
        wanted: &[NodeIndex],
        artifacts: &dyn ArtifactIndex,
        store: &Store,
        project: &Path,
    ) -> Result<Self, Error> {
        let found = look_up(keyed, wanted, artifacts).await?;
        let mut nodes = BTreeMap::new();
        for &index in wanted {
            let planned = match found.get(&index) {
                Some((key, Some(artifact))) => {
                    Planned::Cached { key: *key, artifact: artifact.clone() }
                }
                looked_up => {
                    let key = looked_up.map(|(key, _)| *key);
                    let why = Why::of(keyed, index, key, &nodes, store, project);
                    Planned::Build { key, why }
                }
            };
            nodes.insert(index, planned);
        }
        Ok(Self { nodes })
    }

    /// The keys that are known: what the recipes want to be there.
    pub fn keys(&self) -> impl Iterator<Item = CacheKey> {
        self.nodes.values().filter_map(|planned| match planned {
            Planned::Cached { key, .. } => Some(*key),
            Planned::Build { key, .. } => *key,
        })
    }

    /// The artifacts that are there, of bases that somebody else keeps too, by the driver's names for them.
    pub fn artifacts(&self) -> impl Iterator<Item = &str> {
        self.nodes.values().filter_map(|planned| Some(planned.artifact()?.id.as_str()))
    }

    /// How many nodes are built.
    #[must_use]
    pub fn to_build(&self) -> usize {
        self.nodes.values().filter(|planned| planned.artifact().is_none()).count()
    }

    /// The lock entries that must be resolved first.
    #[must_use]
    pub fn unlocked(&self, keyed: &KeyedGraph) -> Vec<(NodeIndex, EntryId)> {
        let missing = self.nodes.keys().filter_map(|index| match keyed.fields(*index) {
            Err(missing) => Some(missing.iter().map(|id| (*index, id.clone()))),
            Ok(_) => None,
        });
        missing.flatten().collect()
    }
}

/// With the line of the recipe that wants this driver, where one does.
fn asked_for(graph: &Graph, wanted: &[NodeIndex], error: Error) -> Error {
    let mut nodes = wanted.iter().map(|index| graph.node(*index));
    match nodes.find(|node| node.builder.is_some()) {
        Some(node) => error.at(&node.settings().origin),
        None => error,
    }
}

type Found = BTreeMap<NodeIndex, (CacheKey, Option<Artifact>)>;

async fn look_up(
    keyed: &KeyedGraph,
    wanted: &[NodeIndex],
    artifacts: &dyn ArtifactIndex,
) -> Result<Found, Error> {
    let graph = keyed.graph();
    let mut is_wanted = vec![false; graph.len()];
    wanted.iter().for_each(|index| is_wanted[index.index()] = true);
    let above = |index: NodeIndex, parent: Parent| {
        let children = graph.children(index).into_iter();
        children.filter(|child| is_wanted[child.index()]).map(move |child| (child, parent))
    };
    let roots = wanted.iter().filter(|index| graph.parent(**index).is_none());
    let mut ready: VecDeque<(NodeIndex, Parent)> =
        roots.map(|index| (*index, Parent::None)).collect();
    let mut found = Found::new();
    while !ready.is_empty() {
        let mut batch: Vec<(NodeIndex, CacheKey)> = Vec::new();
        while let Some((index, parent)) = ready.pop_front() {
            let Ok(fields) = keyed.fields(index) else { continue };
            let key = cache_key(artifacts.format(), &keyed.target().architecture, &parent, fields);
            match keyed.given(index, artifacts) {
                Some(artifact) => drop(found.insert(index, (key, Some(artifact)))),
                None => batch.push((index, key)),
            }
            if !artifacts.gives_outputs() {
                ready.extend(above(index, Parent::Key(key)));
            }
        }
        let keys: Vec<CacheKey> = batch.iter().map(|(_, key)| *key).collect();
        let looked_up =
            artifacts.find(&keys).await.map_err(|error| asked_for(graph, wanted, error))?;
        for ((index, key), artifact) in batch.into_iter().zip(looked_up) {
            if let Some(output) = artifact.as_ref().and_then(|artifact| artifact.output) {
                ready.extend(above(index, Parent::Output(output)));
            }
            found.insert(index, (key, artifact));
        }
    }
    Ok(found)
}
