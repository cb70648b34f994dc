use crate::Error;
use crate::graph::Graph;
use crate::inputs::Inputs;
use crate::key::{Definition, Field, ResolveLayout};
use crate::lock::{EntryId, LockFile};
use petgraph::graph::NodeIndex;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A graph whose wanted nodes have their inputs read and hashed.
#[derive(Debug)]
pub struct KeyedGraph {
    graph: Graph,
    architecture: String,
    definitions: BTreeMap<NodeIndex, Definition>,
    fields: BTreeMap<NodeIndex, Result<Vec<Field>, Vec<EntryId>>>,
}

impl KeyedGraph {
    /// Reads and hashes the inputs of the wanted nodes, in parallel.
    ///
    /// # Errors
    /// Every input that cannot be read, with its origin.
    pub fn new(
        graph: Graph,
        wanted: &[NodeIndex],
        architecture: &str,
        inputs: &Inputs,
        lock: &LockFile,
        resolve_layout: ResolveLayout,
    ) -> Result<Self, Vec<Error>> {
        let read: Vec<_> = wanted
            .par_iter()
            .map(|index| {
                let node = graph.node(*index);
                (*index, Definition::read(node, architecture, inputs, resolve_layout))
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
        let fields = definitions.iter().map(|(index, def)| (*index, def.fields(lock))).collect();
        Ok(Self { graph, architecture: architecture.into(), definitions, fields })
    }

    /// Takes what has been locked since into the keys.
    pub fn relock(&mut self, lock: &LockFile) {
        self.fields =
            self.definitions.iter().map(|(index, def)| (*index, def.fields(lock))).collect();
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The architecture that images are made for, in Debian's words: `amd64`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
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

    /// Every lock entry that the keyed nodes ask for.
    #[must_use]
    pub fn entries(&self) -> BTreeSet<EntryId> {
        let definitions = self.definitions.values();
        definitions.flat_map(Definition::entries).collect()
    }
}
