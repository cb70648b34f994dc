use crate::plan::ImageRecord;
use kiln::DeploymentNode;
use std::sync::Arc;

/// A deployment as the recipes declare it, and what its servers are to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// What is declared.
    pub node: DeploymentNode,
    /// Its image today.
    pub image: ImageState,
}

/// An image that servers start from, as the recipes declare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageState {
    /// Its name.
    pub name: String,
    /// Its key, as hex; `None` until something is built, or locked, that it depends on.
    pub key: Option<String>,
    /// Its layers as far as their keys are known, those of its base images first.
    pub layers: Vec<LayerKey>,
    /// What servers start from.
    pub artifact: ArtifactState,
    /// In what it differs from what runs, or why it was baked just now, as a predicate of the image; `None`: its layers'
    /// keys tell.
    pub why: Option<String>,
    /// What it is made of, to be kept beside what runs; `None`: nobody will ask.
    pub record: Option<Arc<ImageRecord>>,
}

/// A layer of an image and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerKey {
    /// `web/site`: the image that declares it, and its name.
    pub layer: String,
    /// Its key, as hex.
    pub key: String,
}

/// Whether there is an artifact of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactState {
    /// There is: the driver's name for it.
    Baked(String),
    /// It is known after the bake.
    AfterBake {
        /// Why it is baked, as a predicate of the image: ``layer `site`: `site/index.html` changed``.
        why: String,
    },
}

impl ImageState {
    /// The artifact, where there is one.
    #[must_use]
    pub fn artifact(&self) -> Option<&str> {
        match &self.artifact {
            ArtifactState::Baked(artifact) => Some(artifact),
            ArtifactState::AfterBake { .. } => None,
        }
    }
}
