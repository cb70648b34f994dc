use crate::driver::{Artifact, ArtifactIndex};
use crate::graph::Graph;
use crate::inputs::{Inputs, Manifest};
use crate::key::{Definition, Field, ResolveLayout, Target};
use crate::lock::{EntryId, LockFile, Locked};
use crate::{Digest, Error};
use petgraph::graph::NodeIndex;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A graph whose wanted nodes have their inputs read and hashed.
#[derive(Debug)]
pub struct KeyedGraph {
    graph: Graph,
    target: Target,
    definitions: BTreeMap<NodeIndex, Definition>,
    fields: BTreeMap<NodeIndex, Result<Vec<Field>, Vec<EntryId>>>,
    /// What is locked of the wanted bases.
    bases: BTreeMap<NodeIndex, Locked>,
}

impl KeyedGraph {
    /// Reads and hashes the inputs of the wanted nodes, in parallel.
    ///
    /// # Errors
    /// Every input that cannot be read, with its origin.
    pub fn new(
        graph: Graph,
        wanted: &[NodeIndex],
        target: Target,
        inputs: &Inputs,
        lock: &LockFile,
        resolve_layout: ResolveLayout,
    ) -> Result<Self, Vec<Error>> {
        let read: Vec<_> = wanted
            .par_iter()
            .map(|index| {
                let node = graph.node(*index);
                (*index, Definition::read(node, &target, inputs, resolve_layout))
            })
            .collect();
        let mut definitions = BTreeMap::new();
        let mut errors = Vec::new();
        for (index, definition) in read {
            match definition {
                Ok(definition) => {
                    definitions.insert(index, definition);
                }
                Err(found) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let (fields, bases) = (BTreeMap::new(), BTreeMap::new());
        let mut keyed = Self { graph, target, definitions, fields, bases };
        keyed.relock(lock);
        Ok(keyed)
    }

    /// Takes what has been locked since into the keys.
    pub fn relock(&mut self, lock: &LockFile) {
        let definitions = self.definitions.iter();
        self.fields = definitions.map(|(index, def)| (*index, def.fields(lock))).collect();
        let definitions = self.definitions.iter();
        let locked = |def: &Definition| def.base_entry.as_ref().and_then(|id| lock.get(id));
        self.bases = definitions.filter_map(|(index, def)| Some((*index, locked(def)?))).collect();
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the graph is keyed for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The artifact of a base that somebody else keeps, if this node is one and it is locked.
    pub(super) fn given(
        &self,
        index: NodeIndex,
        artifacts: &dyn ArtifactIndex,
    ) -> Option<Artifact> {
        let definition = self.definitions.get(&index)?;
        let base = self.graph.node(index).base_input(definition.manifest.clone())?;
        let locked = match &definition.base_entry {
            Some(_) => self.bases.get(&index)?.clone(),
            None => Locked::nothing(),
        };
        artifacts.given(&base, &locked)
    }

    /// What the key of a wanted node covers of the node itself.
    ///
    /// # Errors
    /// The lock entries that were missing when the graph was keyed.
    pub fn fields(&self, index: NodeIndex) -> Result<&[Field], &[EntryId]> {
        match self.fields.get(&index) {
            Some(Ok(fields)) => Ok(fields),
            Some(Err(missing)) => Err(missing),
            None => Err(&[]),
        }
    }

    /// The definition of a wanted node.
    #[must_use]
    pub fn definition(&self, index: NodeIndex) -> Option<&Definition> {
        self.definitions.get(&index)
    }

    /// A tree that a wanted node copies.
    pub(super) fn tree(&self, index: NodeIndex, digest: Digest) -> Option<Cow<'_, Manifest>> {
        let trees = &self.definitions.get(&index)?.trees;
        let found = trees.iter().find(|(known, _)| *known == digest)?;
        Some(Cow::Borrowed(&*found.1))
    }

    /// Every lock entry that the keyed nodes ask for.
    #[must_use]
    pub fn entries(&self) -> BTreeSet<EntryId> {
        let definitions = self.definitions.values();
        definitions.flat_map(Definition::entries).collect()
    }
}
