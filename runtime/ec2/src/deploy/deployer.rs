use super::observe::observed;
use super::refused::explained;
use super::works::Works;
use super::world::World;
use super::{destroy, removal, traits};
use crate::builder::{Ec2, Inner, Place};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kiln::DeploymentNode;
use kiln_engine::Error;
use kiln_engine::driver::{Belonging, Capacity, Declared, Judge, Launch, Observed, Output, Waited};
use std::sync::Arc;
use std::time::Duration;

/// How much of a console is of interest: the end.
const CONSOLE_LINES: usize = 60;

/// The deployer of one region: Auto Scaling groups behind load balancers. Its methods want a tokio runtime of several
/// threads.
#[derive(Debug, Clone)]
pub struct Deployer {
    inner: Arc<Inner>,
}

impl Deployer {
    /// A deployer at a place. Nothing is asked over the network.
    ///
    /// # Errors
    /// When the configuration of the AWS tools cannot be read.
    pub async fn open(place: Place<'_>) -> Result<Self, Error> {
        Ok(Ec2::open(place).await?.deployer())
    }

    fn works<'a>(&'a self, deployment: &'a DeploymentNode) -> Works<'a> {
        Works { inner: &self.inner, deployment, generation: None }
    }
}

impl Ec2 {
    /// The deployer of the builder's region: both wait by one poller.
    #[must_use]
    pub fn deployer(&self) -> Deployer {
        Deployer { inner: Arc::clone(&self.inner) }
    }
}

#[async_trait]
impl kiln_engine::driver::Deployer for Deployer {
    fn declared(&self, deployment: &DeploymentNode, image: &str) -> Declared {
        traits::declared(deployment, image)
    }

    async fn observe(&self) -> Result<Vec<Observed>, Error> {
        let Inner { aws, project, .. } = &*self.inner;
        let world = World::read(aws, project, None).await;
        let world = world.map_err(|refusal| explained(&refusal, "cannot see what runs"))?;
        Ok(observed(&world, project))
    }

    async fn prepare(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error> {
        self.works(deployment).of(generation).prepare(output).await
    }

    async fn share(&self, deployment: &DeploymentNode, generation: u32) -> Result<bool, Error> {
        self.works(deployment).of(generation).share().await
    }

    async fn settle(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error> {
        self.works(deployment).of(generation).settle(output).await
    }

    async fn launch(&self, launch: &Launch<'_>, output: Output<'_>) -> Result<(), Error> {
        self.works(launch.deployment).launch(launch, output).await
    }

    async fn resize(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        capacity: Capacity,
    ) -> Result<(), Error> {
        self.works(deployment).resize(generation, capacity).await
    }

    async fn watch(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error> {
        self.works(deployment).watch(generation, within, judge).await
    }

    async fn attach(&self, deployment: &DeploymentNode, generation: u32) -> Result<(), Error> {
        self.works(deployment).of(generation).attach(generation).await
    }

    async fn detach(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error> {
        self.works(deployment).of(generation).detach(generation, output).await
    }

    async fn remove(
        &self,
        deployment: &str,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error> {
        removal::generation(&self.inner, deployment, generation, output).await
    }

    async fn console(&self, server: &str) -> Vec<String> {
        let ask = async |latest: Option<bool>| {
            let call = self.inner.aws.ec2.get_console_output().instance_id(server);
            let answer = call.set_latest(latest).send().await.ok()?;
            let text =
                BASE64_STANDARD.decode(answer.output?.split_whitespace().collect::<String>());
            Some(String::from_utf8_lossy(&text.ok()?).into_owned()).filter(|text| !text.is_empty())
        };
        // Older types only have what was kept at their last start.
        let text = match ask(Some(true)).await {
            Some(text) => text,
            None => ask(None).await.unwrap_or_default(),
        };
        let lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        lines[lines.len().saturating_sub(CONSOLE_LINES)..].to_vec()
    }

    async fn belongings(&self, deployment: &str) -> Result<Vec<Belonging>, Error> {
        destroy::belongings(&self.inner, deployment).await
    }

    async fn destroy(&self, deployment: &str, output: Output<'_>) -> Result<(), Vec<Error>> {
        destroy::destroy(&self.inner, deployment, output).await
    }
}
