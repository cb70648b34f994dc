use async_trait::async_trait;
use kiln::{BuilderNode, DeploymentNode, ImageNode, TargetNode};
use kiln_engine::Error;
use kiln_engine::driver::{ArtifactIndex, Builder, Collector, Deployer, State};
use kiln_engine::key::Target;
use std::path::Path;
use std::time::Duration;
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

    /// Where, and for which machines, an image is built that no deployment uses.
    ///
    /// # Errors
    /// When nobody says where.
    async fn target(&self, image: &ImageNode) -> Result<Target, Vec<Error>>;

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

    /// Where a deployment runs, which is where its image is built, and for which machines.
    ///
    /// # Errors
    /// When nobody says where, or image and deployment contradict each other; where this driver runs no servers.
    async fn site(
        &self,
        deployment: &DeploymentNode,
        _image: &ImageNode,
    ) -> Result<Target, Vec<Error>> {
        let message = format!("`{}` runs no servers", self.name());
        Err(vec![Error::input(message).at(&deployment.origin)])
    }

    /// Where servers run when no recipe says: what a name that no recipe has is looked for in.
    ///
    /// # Errors
    /// When nobody says.
    async fn place(&self) -> Result<Target, Error> {
        Err(Error::input(format!("`{}` runs no servers", self.name())))
    }

    /// What observes and changes servers; `None` where it runs none.
    ///
    /// # Errors
    /// When they cannot be reached.
    async fn deployer(&self, _at: &At<'_>) -> Result<Option<Box<dyn Deployer>>, Error> {
        Ok(None)
    }

    /// A project's part of the state at an address as `--state` takes it, with leases that end after so long unless
    /// they are prolonged.
    ///
    /// # Errors
    /// When there can be none, or this host has no driver that runs servers.
    async fn state(
        &self,
        address: &str,
        _project: &str,
        _lease_time: Duration,
    ) -> Result<Box<dyn State>, Error> {
        Err(Error::input(format!("`{}` keeps no state at `{address}`", self.name())))
    }
}

/// Where a driver works, and for whom.
#[derive(Debug, Clone)]
pub struct At<'a> {
    /// The store.
    pub store: &'a Path,
    /// The project's name, as its recipes have it.
    pub project: &'a str,
    /// What [`Driver::target`] or [`Driver::site`] gave.
    pub target: &'a Target,
    /// Turns true when the user asks to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// The name of the driver that runs the servers of a deployment.
pub(crate) fn runs(deployment: &DeploymentNode) -> &'static str {
    match deployment.target {
        TargetNode::Ec2(_) => EC2,
    }
}

/// The name of the builder that an image asks for; the local one where it asks for none.
pub(crate) fn asked_for(image: &ImageNode) -> &'static str {
    match image.builder {
        Some(BuilderNode::Ec2(_)) => EC2,
        None => crate::sandbox::NAME,
    }
}

/// A builder that this host lacks: what can be said of its images without it.
pub(crate) struct Elsewhere;

/// EC2's, whose driver takes minutes to compile: nobody waits for that to have recipes checked.
pub(crate) const EC2: &str = "ec2";

impl Elsewhere {
    fn refused(&self) -> Error {
        Error::input(format!("this host has no builder `{EC2}`"))
            .help("run this through `cargo xtask`")
    }
}

#[async_trait]
impl Driver for Elsewhere {
    fn name(&self) -> &'static str {
        EC2
    }

    fn publishes(&self) -> bool {
        true
    }

    async fn target(&self, _image: &ImageNode) -> Result<Target, Vec<Error>> {
        Err(vec![self.refused()])
    }

    async fn index(&self, _at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error> {
        Err(self.refused())
    }

    async fn builder(&self, _at: &At<'_>) -> Result<Box<dyn Builder>, Error> {
        Err(self.refused())
    }
}
