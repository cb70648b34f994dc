use super::names::Names;
use super::world::World;
use crate::aws::{Aws, Refusal};
use crate::builder::Inner;
use kiln::{DeploymentNode, Ec2Target, Origin};
use kiln_engine::Error;

/// What is done for one declared deployment, and with what. Each part of it is in the file that is named after it.
#[derive(Clone, Copy)]
pub(super) struct Works<'a> {
    pub(super) inner: &'a Inner,
    pub(super) deployment: &'a DeploymentNode,
    /// The generation that it is done for; `None`: for none in particular.
    pub(super) generation: Option<u32>,
}

impl<'a> Works<'a> {
    pub(super) fn of(self, generation: u32) -> Self {
        Self { generation: Some(generation), ..self }
    }

    pub(super) fn aws(self) -> &'a Aws {
        &self.inner.aws
    }

    pub(super) fn names(self) -> Names<'a> {
        Names { project: &self.inner.project, deployment: &self.deployment.name }
    }

    pub(super) fn target(self) -> &'a Ec2Target {
        let kiln::TargetNode::Ec2(target) = &self.deployment.target;
        target
    }

    /// Where in the recipe a mistake of the servers is.
    pub(super) fn origin(self) -> &'a Origin {
        &self.target().origin
    }

    /// What there is of it.
    pub(super) async fn world(self) -> Result<World, Error> {
        let world = World::read(self.aws(), &self.inner.project, Some(&self.deployment.name)).await;
        world.map_err(|refusal| self.refused(refusal, "see what runs"))
    }

    /// The error of a refusal: `cannot WHAT of `production``.
    pub(super) fn refused(self, refusal: impl Into<Refusal>, what: &str) -> Error {
        self.refused_at(refusal, what, self.origin())
    }

    /// Likewise, at another place of the recipe.
    pub(super) fn refused_at(self, refusal: impl Into<Refusal>, what: &str, at: &Origin) -> Error {
        let what = format!("cannot {what} of `{}`", self.deployment.name);
        super::refused::refused(&refusal.into(), &what, at)
    }

    /// What was found under a name of ours bears somebody else's tags.
    pub(super) fn foreign(self, what: &str, name: &str) -> Error {
        let message =
            format!("there is {what} `{name}` already, which is not `{}`'s", self.deployment.name);
        Error::environment(message)
            .help("remove it, or give the deployment another name")
            .at(self.origin())
    }
}
