use super::{KeyedGraph, Planned};
use crate::inputs::Manifest;
use crate::key::Field;
use crate::lock::{EntryId, first_change};
use crate::store::{Record, Store};
use crate::{CacheKey, NodeName};
use petgraph::graph::NodeIndex;
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
        if let Some(difference) = first_difference(&record, fields, &titles, store, keyed, index) {
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

/// The first thing in which a node differs from a record of it, in the user's words; `None` when its own
/// definition is the same.
#[must_use]
pub fn first_difference(
    record: &Record,
    fields: &[Field],
    titles: &[String],
    store: &Store,
    keyed: &KeyedGraph,
    index: NodeIndex,
) -> Option<String> {
    let was = &record.fields;
    let differs = |(old, new): (&Field, &Field)| {
        (old.op, &old.name, &old.value) != (new.op, &new.name, &new.value)
    };
    let at = match was.iter().zip(fields).position(differs) {
        Some(at) => at,
        None if was.len() == fields.len() => return None,
        None => was.len().min(fields.len()),
    };
    let title = |titles: &[String], op: u32| {
        let title = usize::try_from(op).ok().and_then(|op| titles.get(op.checked_sub(1)?));
        title.map(|title| format!("`{title}`"))
    };
    let described = match (was.get(at), fields.get(at)) {
        (None, None) => return None,
        (Some(old), None) => format!("step {} is gone", title(&record.titles, old.op)?),
        (None, Some(new)) => format!("step {} is new", title(titles, new.op)?),
        (Some(old), Some(new)) => {
            if old.name == "locked" || new.name == "locked" {
                let of = |list: &[Field], op| -> Vec<String> {
                    let mine = list.iter().filter(|f| f.op == op && f.name == "locked");
                    mine.map(|f| f.value.clone()).collect()
                };
                let op = if new.name == "locked" { new.op } else { old.op };
                if let Some(change) = first_change(&of(was, op), &of(fields, op)) {
                    return Some(change);
                }
            }
            let (before, after) = (title(&record.titles, old.op), title(titles, new.op));
            match (old.op == new.op && old.name == new.name, before == after) {
                // The same part of the same step.
                (true, true) => changed_value(old, new, after, store, keyed, index),
                (_, false) => match (before, after) {
                    (Some(before), Some(after)) if !record.titles.contains(&unquoted(&after)) => {
                        match titles.contains(&unquoted(&before)) {
                            true => format!("step {after} is new"),
                            false => format!("step {before} became {after}"),
                        }
                    }
                    (Some(before), Some(_)) if !titles.contains(&unquoted(&before)) => {
                        format!("step {before} is gone")
                    }
                    (Some(before), Some(after)) => {
                        format!("step {after} comes before {before} now")
                    }
                    _ => "its base is another one".into(),
                },
                (false, true) => match after {
                    Some(after) => format!("step {after} has other options"),
                    None => "its base is another one".into(),
                },
            }
        }
    };
    Some(described)
}

fn unquoted(title: &str) -> String {
    title.trim_matches('`').to_owned()
}

fn changed_value(
    old: &Field,
    new: &Field,
    title: Option<String>,
    store: &Store,
    keyed: &KeyedGraph,
    index: NodeIndex,
) -> String {
    let root = &keyed.graph().node(index).root;
    let relative = |shown: &Option<String>| -> String {
        let shown = shown.clone().unwrap_or_default();
        let path = Path::new(&shown);
        path.strip_prefix(root).unwrap_or(path).display().to_string()
    };
    let of_step = title.map(|title| format!(" of step {title}")).unwrap_or_default();
    match new.name.as_str() {
        "tree" => {
            let folder = relative(&new.shown);
            let before: Option<Manifest> =
                old.value.parse().ok().and_then(|digest| store.manifest(digest));
            let after = keyed.definition(index).and_then(|definition| {
                let mut trees = definition.trees.iter();
                trees.find(|(digest, _)| digest.to_string() == new.value).map(|(_, m)| m.clone())
            });
            match before.zip(after).and_then(|(before, after)| before.first_difference(&after)) {
                Some(difference) => format!("in `{folder}`: {difference}"),
                None => format!("`{folder}` changed"),
            }
        }
        "file" | "script" => format!("`{}` changed", relative(&new.shown)),
        "text" => format!("the text{of_step} changed"),
        "shell" | "argv" => format!("the command{of_step} changed"),
        "include" | "suite" | "mirror" | "manifest" | "digest" | "base" => {
            format!("its base has `{}` {}, it was {}", new.name, new.value, old.value)
        }
        name => format!("`{name}`{of_step} is {}, it was {}", new.value, old.value),
    }
}
