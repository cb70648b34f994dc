//! The graph: layers and bases, and what stands on what.

use crate::driver::{BaseInput, Settings, TestPlan};
use crate::{Error, NodeName};
use kiln::{BaseNode, BuilderNode, Document, ImageNode, LayerNode, Origin, Problem, Version};
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
    /// What the recipe says of how its image is built.
    pub builder: Option<BuilderNode>,
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
    /// The image that its last layer completes, where an image is an artifact of its own.
    Image(ImageTests),
}

/// What makes an image of a last layer.
#[derive(Debug)]
pub struct ImageTests {
    /// The image's name.
    pub name: String,
    /// What it is, for people.
    pub doc: String,
    /// What must pass before it counts.
    pub tests: TestPlan,
}

/// An image, and the node that completes it.
#[derive(Debug)]
pub struct ImageEntry {
    /// As in the Document, its layers moved to the nodes.
    pub image: ImageNode,
    /// What completes it: its last layer, or its base where it has none; the image itself where that is an
    /// artifact of its own.
    pub tip: NodeIndex,
    /// What images based on it stand on.
    last: NodeIndex,
}

impl Graph {
    /// Makes the graph of a Document. `publishes`: whether an image is an artifact of its own beside that
    /// of its last layer, as an AMI is; then [`Session::publish`](crate::driver::Session::publish) makes it.
    ///
    /// # Errors
    /// As [`sound`] finds them.
    pub fn new(document: Document, publishes: bool) -> Result<Self, Vec<Error>> {
        sound(&document)?;
        let mut nodes = DiGraph::new();
        let mut images: Vec<ImageEntry> = Vec::new();
        for mut image in document.into_images() {
            let layers = std::mem::take(&mut image.layers);
            let node = |layer: &str, origin: &Origin, kind| Node {
                name: NodeName { image: image.name.clone(), layer: layer.into() },
                origin: origin.clone(),
                root: PathBuf::from(&image.root),
                builder: image.builder.clone(),
                kind,
            };
            let mut last = match &image.base {
                BaseNode::Image(index) => match images.get(*index) {
                    Some(base) => base.last,
                    None => {
                        return Err(vec![Error::input("a base stands after what is built on it")]);
                    }
                },
                base => {
                    let origin = base_origin(base, &image.origin);
                    nodes.add_node(node("base", &origin, NodeKind::Base(base.clone())))
                }
            };
            for layer in layers {
                let (name, origin) = (layer.name.clone(), layer.origin.clone());
                let next = nodes.add_node(node(&name, &origin, NodeKind::Layer(layer)));
                nodes.add_edge(last, next, ());
                last = next;
            }
            let mut tip = last;
            if publishes {
                let (name, doc) = (image.name.clone(), image.doc.clone());
                let kind = NodeKind::Image(ImageTests { name, doc, tests: TestPlan::of(&image) });
                tip = nodes.add_node(node(NodeName::IMAGE, &image.origin, kind));
                nodes.add_edge(last, tip, ());
            }
            images.push(ImageEntry { image, tip, last });
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
            NodeKind::Layer(_) | NodeKind::Image(_) => None,
        }
    }

    /// What a session for this node is opened with.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let origin = match &self.builder {
            Some(BuilderNode::Ec2(ec2)) => ec2.origin.clone(),
            None => self.origin.clone(),
        };
        Settings { node: self.name.clone(), origin, builder: self.builder.clone() }
    }

    /// How many steps it has.
    #[must_use]
    pub fn steps(&self) -> usize {
        match &self.kind {
            NodeKind::Base(_) | NodeKind::Image(_) => 0,
            NodeKind::Layer(layer) => layer.steps.len(),
        }
    }
}

fn base_origin(base: &BaseNode, image: &Origin) -> Origin {
    match base {
        BaseNode::Debian(base) => base.origin.clone(),
        BaseNode::OciLayout(base) => base.origin.clone(),
        BaseNode::RootArchive(base) => base.origin.clone(),
        BaseNode::Ami(base) => base.origin.clone(),
        BaseNode::Scratch(origin) => origin.clone(),
        BaseNode::Image(_) => image.clone(),
    }
}

/// Whether anything may be done with a Document.
///
/// # Errors
/// When it is of another version, or its recipes have mistakes: all of them.
pub fn sound(document: &Document) -> Result<(), Vec<Error>> {
    if document.version() != Version::CURRENT {
        let message = format!(
            "the recipes speak version {} of the Document, this host speaks {}",
            document.version().0,
            Version::CURRENT.0
        );
        return Err(vec![Error::input(message).help("build both from one checkout of Kiln")]);
    }
    match document.problems() {
        [] => Ok(()),
        problems => Err(problems.iter().map(problem).collect()),
    }
}

fn problem(problem: &Problem) -> Error {
    let error = Error::input(&problem.message).at(&problem.origin);
    match &problem.help {
        Some(help) => error.help(help),
        None => error,
    }
}
