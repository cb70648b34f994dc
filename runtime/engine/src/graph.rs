//! The graph: layers and bases, and what stands on what.

use crate::driver::BaseInput;
use crate::{Error, NodeName};
use kiln::{BaseNode, Document, ImageNode, LayerNode, Origin, Problem, Version};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use std::path::PathBuf;

/// The layers and bases of a Document, each with an edge to what stands on it.
///
/// Every image is one chain; images on a common base share its nodes.
#[derive(Debug)]
pub struct Graph {
    nodes: DiGraph<Node, ()>,
    images: Vec<ImageEntry>,
}

/// A node of the graph: what is keyed, looked up and built as one.
#[derive(Debug)]
pub struct Node {
    /// In the words of the recipe.
    pub name: NodeName,
    /// Where it was written.
    pub origin: Origin,
    /// The directory that its inputs are relative to.
    pub root: PathBuf,
    /// What it is.
    pub kind: NodeKind,
}

/// What a [`Node`] is.
#[derive(Debug)]
pub enum NodeKind {
    /// Where an image starts.
    Base(BaseNode),
    /// A layer.
    Layer(LayerNode),
}

/// An image, and the node that completes it.
#[derive(Debug)]
pub struct ImageEntry {
    /// As in the Document, its layers moved to the nodes.
    pub image: ImageNode,
    /// Its last layer, or its base where it has none.
    pub tip: NodeIndex,
}

impl Graph {
    /// Makes the graph of a Document.
    ///
    /// # Errors
    /// When the Document is of another version, or its recipes have mistakes: all of them.
    pub fn new(document: Document) -> Result<Self, Vec<Error>> {
        if document.version() != Version::CURRENT {
            let message = format!(
                "the recipes speak version {} of the Document, this host speaks {}",
                document.version().0,
                Version::CURRENT.0
            );
            return Err(vec![Error::input(message).help("build both from one checkout of Kiln")]);
        }
        if !document.problems().is_empty() {
            return Err(document.problems().iter().map(problem).collect());
        }
        let mut nodes = DiGraph::new();
        let mut images: Vec<ImageEntry> = Vec::new();
        for mut image in document.into_images() {
            let root = PathBuf::from(&image.root);
            let mut tip = match &image.base {
                BaseNode::Image(index) => match images.get(*index) {
                    Some(base) => base.tip,
                    None => {
                        return Err(vec![Error::input("a base stands after what is built on it")]);
                    }
                },
                base => nodes.add_node(Node {
                    name: NodeName { image: image.name.clone(), layer: "base".into() },
                    origin: base_origin(base, &image.origin),
                    root: root.clone(),
                    kind: NodeKind::Base(base.clone()),
                }),
            };
            for layer in std::mem::take(&mut image.layers) {
                let node = nodes.add_node(Node {
                    name: NodeName { image: image.name.clone(), layer: layer.name.clone() },
                    origin: layer.origin.clone(),
                    root: root.clone(),
                    kind: NodeKind::Layer(layer),
                });
                nodes.add_edge(tip, node, ());
                tip = node;
            }
            images.push(ImageEntry { image, tip });
        }
        Ok(Self { nodes, images })
    }

    /// All images, bases first.
    #[must_use]
    pub fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    /// The images of these names; all of them when there are none.
    ///
    /// # Errors
    /// For each name that no image has.
    pub fn select(&self, names: &[String]) -> Result<Vec<&ImageEntry>, Vec<Error>> {
        if names.is_empty() {
            return Ok(self.images.iter().collect());
        }
        let known: Vec<&str> = self.images.iter().map(|entry| entry.image.name.as_str()).collect();
        let mut found = Vec::new();
        let mut errors = Vec::new();
        for name in names {
            match self.images.iter().find(|entry| entry.image.name == *name) {
                Some(entry) => found.push(entry),
                None => errors.push(
                    Error::input(format!("no image is named `{name}`"))
                        .help(format!("the recipes have: {}", known.join(", "))),
                ),
            }
        }
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.node_count() == 0
    }

    /// All nodes; a parent precedes its children.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + use<> {
        self.nodes.node_indices()
    }

    /// A node.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index]
    }

    /// The node of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.nodes.node_indices().find(|index| self.nodes[*index].name.to_string() == name)
    }

    /// What a node stands on; `None` for a base.
    #[must_use]
    pub fn parent(&self, index: NodeIndex) -> Option<NodeIndex> {
        self.nodes.neighbors_directed(index, Direction::Incoming).next()
    }

    /// What stands on a node, in the order of the recipes.
    #[must_use]
    pub fn children(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut children: Vec<_> =
            self.nodes.neighbors_directed(index, Direction::Outgoing).collect();
        children.sort();
        children
    }

    /// The nodes that these images consist of, parents first.
    #[must_use]
    pub fn needed_for(&self, images: &[&ImageEntry]) -> Vec<NodeIndex> {
        let mut needed = vec![false; self.nodes.node_count()];
        for entry in images {
            let mut next = Some(entry.tip);
            while let Some(index) = next
                && !needed[index.index()]
            {
                needed[index.index()] = true;
                next = self.parent(index);
            }
        }
        self.nodes.node_indices().filter(|index| needed[index.index()]).collect()
    }
}

impl Node {
    /// The base that this node is, with what a driver needs to make it.
    pub(crate) fn base_input(&self, manifest: Option<String>) -> Option<BaseInput> {
        match &self.kind {
            NodeKind::Base(node) => {
                Some(BaseInput { node: node.clone(), root: self.root.clone(), manifest })
            }
            NodeKind::Layer(_) => None,
        }
    }

    /// How many steps it has.
    #[must_use]
    pub fn steps(&self) -> usize {
        match &self.kind {
            NodeKind::Base(_) => 0,
            NodeKind::Layer(layer) => layer.steps.len(),
        }
    }
}

fn base_origin(base: &BaseNode, image: &Origin) -> Origin {
    match base {
        BaseNode::Debian(base) => base.origin.clone(),
        BaseNode::OciLayout(base) => base.origin.clone(),
        BaseNode::RootArchive(base) => base.origin.clone(),
        BaseNode::Scratch(origin) => origin.clone(),
        BaseNode::Image(_) => image.clone(),
    }
}

fn problem(problem: &Problem) -> Error {
    let error = Error::input(&problem.message).at(&problem.origin);
    match &problem.help {
        Some(help) => error.help(help),
        None => error,
    }
}
