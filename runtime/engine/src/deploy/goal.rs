use super::{ArtifactState, Desired, ImageState, LayerKey};
use crate::driver::{Declared, Deployer, HistoryEntry};
use kiln::DeploymentNode;
use std::borrow::Cow;

/// Stands for an artifact that is not known yet where a driver says what is declared.
pub(super) const AFTER_BAKE: &str = "(known after the bake)";

/// What a deployment is to become: what the recipes declare, or what the history says of an earlier generation.
pub(super) struct Goal<'a> {
    pub(super) node: Cow<'a, DeploymentNode>,
    pub(super) image: Cow<'a, ImageState>,
    pub(super) declared: Declared,
}

impl<'a> Goal<'a> {
    pub(super) fn declared(deployer: &dyn Deployer, desired: &'a Desired) -> Self {
        let artifact = desired.image.artifact().unwrap_or(AFTER_BAKE);
        let declared = deployer.declared(&desired.node, artifact);
        Self { node: Cow::Borrowed(&desired.node), image: Cow::Borrowed(&desired.image), declared }
    }

    /// What was deployed then, by as many servers as are declared in `node`.
    pub(super) fn earlier(
        deployer: &dyn Deployer,
        entry: &HistoryEntry,
        node: DeploymentNode,
    ) -> Self {
        let declared = deployer.declared(&node, &entry.image);
        let layers = entry.layers.iter();
        let layers = layers.map(|(layer, key)| LayerKey { layer: layer.clone(), key: key.clone() });
        let image = ImageState {
            name: String::new(),
            key: Some(entry.image_key.clone()),
            layers: layers.collect(),
            artifact: ArtifactState::Baked(entry.image.clone()),
            why: None,
            record: None,
        };
        Self { node: Cow::Owned(node), image: Cow::Owned(image), declared }
    }

    pub(super) fn is_baked(&self) -> bool {
        self.image.artifact().is_some()
    }
}
