use async_trait::async_trait;
use kiln::{BuilderNode, ImageNode};
use kiln_engine::Error;
use kiln_engine::driver::{ArtifactIndex, Builder, Collector};
use kiln_engine::key::Target;
use std::path::Path;
use tokio::sync::watch;

/// A builder that a host offers to its commands.
#[async_trait]
pub trait Driver: Send + Sync {
    /// How recipes and `--builder` name it.
    fn name(&self) -> &'static str;

    /// Whether an image is an artifact of its own, beside that of its last layer: an AMI is.
    fn publishes(&self) -> bool {
        false
    }

    /// How many images are built side by side unless `--jobs` says.
    fn jobs(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// Prepares the process for a command that builds, before it starts any thread.
    ///
    /// # Errors
    /// When the machine does not let it.
    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Where, and for which machines, these images are built.
    ///
    /// # Errors
    /// When nobody says where, or the images contradict each other: each, with its origin.
    async fn target(&self, images: &[&ImageNode]) -> Result<Target, Vec<Error>>;

    /// Where its artifacts are, for a command that only looks.
    ///
    /// # Errors
    /// When they cannot be reached.
    async fn index(&self, at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error>;

    /// The builder itself.
    ///
    /// # Errors
    /// When the machine, or the user's rights, are not enough.
    async fn builder(&self, at: &At<'_>) -> Result<Box<dyn Builder>, Error>;

    /// What `gc` asks; `None` where it has nothing to remove.
    ///
    /// # Errors
    /// When what it keeps cannot be reached.
    async fn collector(&self, _at: &At<'_>) -> Result<Option<Box<dyn Collector>>, Error> {
        Ok(None)
    }
}

/// Where a driver works, and for whom.
#[derive(Debug, Clone)]
pub struct At<'a> {
    /// The store.
    pub store: &'a Path,
    /// The directory of the recipes.
    pub project: &'a Path,
    /// What [`Driver::target`] gave.
    pub target: &'a Target,
    /// Turns true when the user asks to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// The name of the builder that an image asks for; the local one where it asks for none.
pub(crate) fn asked_for(image: &ImageNode) -> &'static str {
    match image.builder {
        Some(BuilderNode::Ec2(_)) => "ec2",
        None => crate::sandbox::NAME,
    }
}
