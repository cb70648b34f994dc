use kiln::DeploymentNode;
use serde::{Deserialize, Serialize};

/// A deployment as the recipes declare it, and what its servers are to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// What is declared.
    pub node: DeploymentNode,
    /// Its image today.
    pub image: ImageState,
}

/// An image that servers start from, as the recipes declare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageState {
    /// Its name.
    pub name: String,
    /// Its key, as hex; `None` until something is built, or locked, that it depends on.
    pub key: Option<String>,
    /// Its layers as far as their keys are known, those of its base images first.
    pub layers: Vec<LayerKey>,
    /// What servers start from.
    pub artifact: ArtifactState,
    /// Why this run has baked it, in the words of [`ArtifactState::AfterBake`]; `None` where it was there, or is not yet.
    pub baked_for: Option<String>,
}

/// A layer of an image and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerKey {
    /// `web/site`: the image that declares it, and its name.
    pub layer: String,
    /// Its key, as hex.
    pub key: String,
}

/// Whether there is an artifact of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
