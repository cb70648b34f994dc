use super::KeyedGraph;
use super::difference::{Side, first_difference};
use crate::inputs::Manifest;
use crate::key::Field;
use crate::{Digest, NodeName};
use petgraph::graph::NodeIndex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// What an image was made of: enough to say later, on any machine, in what another one differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// What it consists of, its base first.
    pub layers: Vec<LayerRecord>,
    /// The trees that its layers copy.
    pub trees: BTreeMap<Digest, Manifest>,
}

/// A base, a layer, or what an image is beside its layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Its name.
    pub node: NodeName,
    /// What its key covers of itself. Paths of inputs are relative to the recipes.
    pub fields: Vec<Field>,
    /// The title of the step of each op, from op 1.
    pub titles: Vec<String>,
}

impl ImageRecord {
    /// Of the image with this tip; `None` as long as something is not locked that it depends on.
    #[must_use]
    pub fn of(keyed: &KeyedGraph, tip: NodeIndex) -> Option<Self> {
        let graph = keyed.graph();
        let (mut layers, mut trees) = (Vec::new(), BTreeMap::new());
        for index in std::iter::successors(Some(tip), |index| graph.parent(*index)) {
            let definition = keyed.definition(index)?;
            let node = graph.node(index);
            let root = Path::new(&node.root);
            let relative = |field: &Field| {
                let shown = field.shown.as_deref().map(Path::new);
                let shown = shown.map(|path| path.strip_prefix(root).unwrap_or(path));
                Field { shown: shown.map(|path| path.display().to_string()), ..field.clone() }
            };
            layers.push(LayerRecord {
                node: node.name.clone(),
                fields: keyed.fields(index).ok()?.iter().map(relative).collect(),
                titles: definition.titles(),
            });
            let copied = definition.trees.iter();
            trees.extend(copied.map(|(digest, tree)| (*digest, Manifest::clone(tree))));
        }
        layers.reverse();
        Some(Self { layers, trees })
    }

    /// The first layer in which another image differs from this one, and in what, in the user's words; `None` where both
    /// are declared alike.
    #[must_use]
    pub fn first_difference(&self, later: &Self) -> Option<(NodeName, String)> {
        let find = |record: &Self, name: &NodeName| {
            record.layers.iter().position(|layer| layer.node == *name)
        };
        for (at, layer) in later.layers.iter().enumerate() {
            let Some(was) = self.layers.get(at) else {
                return Some((layer.node.clone(), "is new".into()));
            };
            if was.node != layer.node {
                let what = match (find(self, &layer.node), find(later, &was.node)) {
                    (None, _) => (layer.node.clone(), "is new"),
                    (Some(_), None) => (was.node.clone(), "is gone"),
                    (Some(_), Some(_)) => (layer.node.clone(), "has another place"),
                };
                return Some((what.0, what.1.into()));
            }
            let difference = first_difference(&self.side(was), &later.side(layer), Path::new(""));
            if let Some(what) = difference {
                return Some((layer.node.clone(), what));
            }
        }
        let gone = self.layers.get(later.layers.len())?;
        Some((gone.node.clone(), "is gone".into()))
    }

    fn side<'a>(&'a self, layer: &'a LayerRecord) -> Side<'a> {
        let tree = Box::new(|digest| self.trees.get(&digest).map(Cow::Borrowed));
        Side { fields: &layer.fields, titles: &layer.titles, tree }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of layers whose one step is a command.
    fn image(layers: &[(&str, &str)]) -> ImageRecord {
        let field = |value: &str| {
            let (name, value) = ("shell".into(), value.into());
            Field { op: 1, name, value, shown: None }
        };
        let layer = |(layer, shell): &(&str, &str)| LayerRecord {
            node: NodeName { image: "web".into(), layer: (*layer).into() },
            fields: vec![field(shell)],
            titles: vec![format!("run {layer}")],
        };
        ImageRecord { layers: layers.iter().map(layer).collect(), trees: BTreeMap::new() }
    }

    #[test]
    fn the_first_layer_that_is_another_is_named_and_in_what() {
        let one = image(&[("base", "a"), ("nginx", "b"), ("site", "c")]);
        let told = |layers: &[(&str, &str)]| {
            let (node, what) = one.first_difference(&image(layers))?;
            Some(format!("{}: {what}", node.layer))
        };
        assert_eq!(told(&[("base", "a"), ("nginx", "b"), ("site", "c")]), None);
        let cases = [
            (
                &[("base", "a"), ("nginx", "x"), ("site", "y")][..],
                "nginx: the command of step `run nginx` changed",
            ),
            (&[("base", "a"), ("tls", "t"), ("nginx", "b"), ("site", "c")], "tls: is new"),
            (&[("base", "a"), ("site", "c")], "nginx: is gone"),
            (&[("base", "a"), ("site", "c"), ("nginx", "b")], "site: has another place"),
            (&[("base", "a"), ("nginx", "b"), ("site", "c"), ("more", "d")], "more: is new"),
            (&[("base", "a"), ("nginx", "b")], "site: is gone"),
        ];
        for (layers, expected) in cases {
            assert_eq!(told(layers).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_record_comes_back_from_disk_as_it_was() {
        let one = image(&[("base", "a")]);
        let text = serde_json::to_vec(&one).unwrap();
        assert_eq!(serde_json::from_slice::<ImageRecord>(&text).unwrap(), one);
    }
}
