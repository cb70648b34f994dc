use crate::{Ami, Debian, Ec2, OciLayout, Origin, Problems, RootArchive, StepNode, Test};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An image in the Document. A base always precedes what is built on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageNode {
    /// Unique in the Document.
    pub name: String,
    /// What it is, for people.
    pub doc: String,
    /// Where it was written.
    pub origin: Origin,
    /// The absolute directory that its inputs are relative to. It never reaches a key.
    pub root: String,
    /// Where it starts.
    pub base: BaseNode,
    /// Where it is baked, with what it takes from its base image; `None`: as the host is told.
    pub builder: Option<BuilderNode>,
    /// What starts it as a container; empty: its init system.
    pub start: Vec<String>,
    /// The environment of its last layer, its base's included.
    pub env: BTreeMap<String, String>,
    /// Its layers, in order.
    pub layers: Vec<LayerNode>,
    /// Its tests, in order.
    pub tests: Vec<Test>,
}

/// A base in the Document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseNode {
    /// See [`Debian`].
    Debian(Debian),
    /// Another image, by its index in [`crate::Document::images`]; always a smaller one.
    Image(usize),
    /// See [`OciLayout`].
    OciLayout(OciLayout),
    /// See [`RootArchive`].
    RootArchive(RootArchive),
    /// See [`Ami`].
    Ami(Ami),
    /// Nothing.
    Scratch(Origin),
}

/// Where an image is baked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuilderNode {
    /// See [`Ec2`].
    Ec2(Ec2),
}

impl From<Ec2> for BuilderNode {
    fn from(builder: Ec2) -> Self {
        Self::Ec2(builder)
    }
}

impl BuilderNode {
    pub(crate) fn check(&self, problems: &mut Problems) {
        match self {
            Self::Ec2(ec2) => ec2.check(problems),
        }
    }

    /// Takes what it leaves unsaid from the builder of the image's base image.
    pub(super) fn based_on(self, base: &Self, base_name: &str, problems: &mut Problems) -> Self {
        match (self, base) {
            (Self::Ec2(own), Self::Ec2(base)) => Self::Ec2(own.based_on(base, base_name, problems)),
        }
    }
}

/// A layer in the Document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerNode {
    /// Unique in its image.
    pub name: String,
    /// Where it was written.
    pub origin: Origin,
    /// Its steps, in order.
    pub steps: Vec<StepNode>,
}
