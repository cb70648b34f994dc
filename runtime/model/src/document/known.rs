use crate::{Deployment, Image};
use std::collections::BTreeMap;

/// The recipes of a Document as they were added, by their names: one that is added again is found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// Each with its index in the Document.
    images: BTreeMap<String, Vec<(usize, Image)>>,
    deployments: BTreeMap<String, Vec<Deployment>>,
}

impl Known {
    /// The index of this very image. The origin of a recipe is that of its builder calls, so that the same recipe is
    /// equal to itself.
    pub(super) fn image(&self, image: &Image) -> Option<usize> {
        let mut named = self.images.get(&image.name)?.iter();
        named.find(|(_, known)| known == image).map(|(index, _)| *index)
    }

    pub(super) fn add_image(&mut self, index: usize, image: Image) {
        self.images.entry(image.name.clone()).or_default().push((index, image));
    }

    /// Whether any image has this name.
    pub(super) fn is_image(&self, name: &str) -> bool {
        self.images.contains_key(name)
    }

    /// Whether this very deployment is known.
    pub(super) fn has(&self, deployment: &Deployment) -> bool {
        self.deployments.get(deployment.name()).is_some_and(|named| named.contains(deployment))
    }

    pub(super) fn add_deployment(&mut self, deployment: Deployment) {
        self.deployments.entry(deployment.name().to_owned()).or_default().push(deployment);
    }

    /// Whether any deployment has this name.
    pub(super) fn is_deployment(&self, name: &str) -> bool {
        self.deployments.contains_key(name)
    }
}
