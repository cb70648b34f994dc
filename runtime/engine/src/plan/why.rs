use super::difference::{Side, first_difference};
use super::{KeyedGraph, Planned};
use crate::lock::EntryId;
use crate::store::Store;
use crate::{CacheKey, NodeName};
use petgraph::graph::NodeIndex;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Why a node is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is no record of a build of it.
    NeverBuilt,
    /// Something from outside is not resolved yet.
    NotLocked(EntryId),
    /// This is different from the last build, in words.
    Changed(String),
    /// What it stands on is built.
    Below(NodeName),
    /// What it stands on has other content than in the last build.
    BelowChanged,
    /// Nothing changed since the last build, but what was made is not in the store any more.
    Gone,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverBuilt => write!(f, "never built here"),
            Self::NotLocked(id) => write!(f, "first `{}`: resolved into kiln.lock", id.request),
            Self::Changed(what) => f.write_str(what),
            Self::Below(node) => write!(f, "`{node}` is built"),
            Self::BelowChanged => write!(f, "what it stands on has other content"),
            Self::Gone => write!(f, "its artifact is not in the store any more"),
        }
    }
}

impl Why {
    /// The reason to build a node that was not found: its own first difference, else its parent's.
    pub(super) fn of(
        keyed: &KeyedGraph,
        index: NodeIndex,
        key: Option<CacheKey>,
        planned: &BTreeMap<NodeIndex, Planned>,
        store: &Store,
        project: &Path,
    ) -> Self {
        let fields = match keyed.fields(index) {
            Ok(fields) => fields,
            Err([id, ..]) => return Self::NotLocked(id.clone()),
            Err([]) => return Self::NeverBuilt,
        };
        let node = keyed.graph().node(index);
        let Some(record) = store.last(project, keyed.target(), &node.name) else {
            return Self::NeverBuilt;
        };
        let titles = keyed.definition(index).map(|def| def.titles()).unwrap_or_default();
        let was = Side {
            fields: &record.fields,
            titles: &record.titles,
            tree: Box::new(|digest| store.manifest(digest).map(Cow::Owned)),
        };
        let tree = Box::new(|digest| keyed.tree(index, digest));
        let is = Side { fields, titles: &titles, tree };
        if let Some(difference) = first_difference(&was, &is, Path::new(&node.root)) {
            return Self::Changed(difference);
        }
        let below = keyed.graph().parent(index);
        let is_built =
            |parent: &NodeIndex| matches!(planned.get(parent), Some(Planned::Build { .. }));
        match below.filter(is_built) {
            Some(parent) => Self::Below(keyed.graph().node(parent).name.clone()),
            None if key == Some(record.key) => Self::Gone,
            None => Self::BelowChanged,
        }
    }
}
