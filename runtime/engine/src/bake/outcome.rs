use crate::driver::Artifact;
use crate::{CacheKey, Error};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// How a bake ended, node by node.
#[derive(Debug)]
pub struct Outcome {
    /// The nodes of the wanted images.
    pub nodes: BTreeMap<NodeIndex, NodeOutcome>,
}

/// How one node ended.
#[derive(Debug)]
pub enum NodeOutcome {
    /// It was there.
    Cached {
        /// Under this key.
        key: CacheKey,
        /// What it became.
        artifact: Artifact,
    },
    /// It was built.
    Built {
        /// Under this key.
        key: CacheKey,
        /// What it became.
        artifact: Artifact,
    },
    /// It failed.
    Failed(Error),
    /// What it stands on failed.
    Skipped,
}

impl Outcome {
    /// The artifact of a node that is there now.
    #[must_use]
    pub fn artifact(&self, index: NodeIndex) -> Option<&Artifact> {
        match self.nodes.get(&index)? {
            NodeOutcome::Cached { artifact, .. } | NodeOutcome::Built { artifact, .. } => {
                Some(artifact)
            }
            NodeOutcome::Failed(_) | NodeOutcome::Skipped => None,
        }
    }

    /// The key of a node that is there now.
    #[must_use]
    pub fn key(&self, index: NodeIndex) -> Option<CacheKey> {
        match self.nodes.get(&index)? {
            NodeOutcome::Cached { key, .. } | NodeOutcome::Built { key, .. } => Some(*key),
            NodeOutcome::Failed(_) | NodeOutcome::Skipped => None,
        }
    }

    /// How many nodes were built, were there, and failed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count =
            |f: fn(&NodeOutcome) -> bool| self.nodes.values().filter(|node| f(node)).count();
        (
            count(|node| matches!(node, NodeOutcome::Built { .. })),
            count(|node| matches!(node, NodeOutcome::Cached { .. })),
            count(|node| matches!(node, NodeOutcome::Failed(_))),
        )
    }

    /// The errors of the nodes that failed.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.nodes.values().filter_map(|node| match node {
            NodeOutcome::Failed(error) => Some(error),
            _ => None,
        })
    }
}
