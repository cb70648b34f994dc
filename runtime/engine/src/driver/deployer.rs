use super::Output;
use crate::Error;
use async_trait::async_trait;
use kiln::DeploymentNode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What something is like, as names and values that people read. Two are compared to tell what differs, in the
/// user's words; so a driver gives what is declared and what runs in the same ones.
pub type Traits = BTreeMap<String, String>;

/// A driver that observes and changes what runs in one place.
///
/// Every method that changes something may be called again after a crash, with the same arguments: what is there
/// already is taken as it is. Objects have names that follow from project, deployment and generation, and tags that
/// say them, so nothing is made twice.
#[async_trait]
pub trait Deployer: Send + Sync {
    /// What a deployment is to be like when its servers start from this artifact. Asks nobody.
    fn declared(&self, deployment: &DeploymentNode, image: &str) -> Declared;

    /// What runs of this project, as few calls as there are kinds and pages of things.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn observe(&self) -> Result<Vec<Observed>, Error>;

    /// Makes what a generation needs before its servers, beside what is there: load balancer, listener, target group,
    /// security groups. What generations with traffic stand behind stays just as it is, so that they serve as before and
    /// are judged as before, whatever is declared now. Where none has traffic, all is as declared when this returns.
    /// A generation that takes all traffic at once stands behind something of its own, where a driver can give it that.
    ///
    /// # Errors
    /// When something of it is refused.
    async fn prepare(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error>;

    /// Gives this generation, and each that has traffic, its part of it, by how many of its servers are healthy. There is
    /// something to do only where they stand behind different things, as they may after a `prepare`. `false`:
    /// they share no traffic, because who asks chooses between them: another load balancer has another name.
    ///
    /// # Errors
    /// When it is refused.
    async fn share(&self, deployment: &DeploymentNode, generation: u32) -> Result<bool, Error>;

    /// Makes what stands before the servers just as declared for this generation, with its tags. One with traffic that stands behind
    /// something else moves first: its servers are healthy in the new place before they leave the old one, and open
    /// requests are given their time. What is not declared goes then.
    ///
    /// # Errors
    /// When something of it is refused, or servers do not get healthy where they are to move: they stay where they were.
    async fn settle(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error>;

    /// Makes a generation, without traffic, and returns when its servers are asked for, not when they run.
    ///
    /// # Errors
    /// When it is refused.
    async fn launch(&self, launch: &Launch<'_>, output: Output<'_>) -> Result<(), Error>;

    /// Makes how many servers a generation has, and its tags, as declared. `capacity` may differ from what the
    /// deployment declares, while servers are replaced.
    ///
    /// # Errors
    /// When it is refused.
    async fn resize(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        capacity: Capacity,
    ) -> Result<(), Error>;

    /// Looks at a generation until `judge` has seen enough of it. All that waits in a place is read by one poller.
    /// `None` is a generation that is not there. It is looked at once at least, `within` being nothing too: that is how
    /// a fresh look is asked for. A watch that is dropped ends.
    ///
    /// # Errors
    /// When it cannot be read. That `within` is over is no error, but [`Waited::OutOfTime`]; and whether the user asks to
    /// stop is the engine's business, who may still have to wait for what it undoes.
    async fn watch(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error>;

    /// Lets traffic reach a generation, beside any other that has it. Returns before its servers are asked for health. Where
    /// the others stand behind something else, it gets none before `share`, or before they lose theirs.
    ///
    /// # Errors
    /// When it is refused.
    async fn attach(&self, deployment: &DeploymentNode, generation: u32) -> Result<(), Error>;

    /// Takes the traffic from a generation. No new request reaches it when this begins; open ones are given the time
    /// that the deployment declares. Returns when they have ended or that time is over.
    ///
    /// # Errors
    /// When it is refused.
    async fn detach(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error>;

    /// Removes a generation: its servers are ending when this returns, and nothing of it is left but them. What makes it
    /// visible to [`Deployer::observe`] goes last, so that one that is half removed is seen and removed again. One that
    /// is not there, or of which only parts were made, is no error.
    ///
    /// # Errors
    /// When something stays.
    async fn remove(
        &self,
        deployment: &str,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error>;

    /// The end of what a server has printed on its console, as far as anybody has it.
    async fn console(&self, server: &str) -> Vec<String>;

    /// Everything that was made for a deployment: what `destroy` removes, in the order in which it can go.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn belongings(&self, deployment: &str) -> Result<Vec<Belonging>, Error>;

    /// Removes everything that was made for a deployment, and waits until it is gone.
    ///
    /// # Errors
    /// For each that stays; the others are gone.
    async fn destroy(&self, deployment: &str, output: Output<'_>) -> Result<(), Vec<Error>>;
}

/// Says whether enough of a generation was seen.
pub type Judge<'a> = &'a (dyn Fn(Option<&Generation>) -> bool + Send + Sync);

/// How a watch ended; with what was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The judge has seen enough.
    Seen(Option<Generation>),
    /// The time was over.
    OutOfTime(Option<Generation>),
}

/// What a deployment is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What its servers start with: image, instance type, user data, … A difference makes a new generation.
    pub launch: Traits,
    /// What a generation has beside that, and what can change while it runs: tags.
    pub running: Traits,
    /// What stands before the servers: listener, health check, who may connect, … A difference needs no other servers.
    pub front: Traits,
}

/// A generation to be made.
#[derive(Debug)]
pub struct Launch<'a> {
    /// What is declared.
    pub deployment: &'a DeploymentNode,
    /// Its number: one more than any that was there.
    pub generation: u32,
    /// The artifact that its servers start from.
    pub image: &'a str,
    /// How many servers at first.
    pub capacity: Capacity,
}

/// How many servers a generation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// At least.
    pub min: u32,
    /// Now.
    pub desired: u32,
    /// At most.
    pub max: u32,
}

/// What runs of one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its name.
    pub deployment: String,
    /// What stands before the servers, in the words of [`Declared::front`]; empty: nothing.
    pub front: Traits,
    /// Its generations, by number.
    pub generations: Vec<Generation>,
    /// Addresses, DNS names and ids, for people and programs: `dns_name`, `url`, `target_group`, `security_group`.
    pub outputs: BTreeMap<String, String>,
}

/// One immutable group of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1. None is given twice.
    pub number: u32,
    /// Its keeper's name for it.
    pub id: String,
    /// The artifact that its servers start from.
    pub image: String,
    /// What its servers start with, in the words of [`Declared::launch`].
    pub launch: Traits,
    /// What else it has, in the words of [`Declared::running`].
    pub running: Traits,
    /// How many servers it is to have.
    pub capacity: Capacity,
    /// How many were declared when it was made or resized last, whatever has moved their number since. `None`: nobody
    /// knows.
    pub declared: Option<u32>,
    /// Whether traffic reaches it. Where nobody hands traffic out, whether it is the one that counts.
    pub attached: bool,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// One server of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its keeper's name for it: `i-…`.
    pub id: String,
    /// Where it can be reached, as far as it is known.
    pub address: Option<String>,
    /// Whether it works.
    pub health: ServerHealth,
}

/// Whether a server works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerHealth {
    /// It starts, or nobody has asked it often enough.
    Starting,
    /// It runs, and its checks pass: those of EC2, and, when it is attached, those of its target group.
    Healthy,
    /// It runs and its checks fail, for this reason.
    Unhealthy(String),
    /// It is ending, or its open requests are.
    Leaving,
}

/// Something that was made for a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Belonging {
    /// What it is: `auto scaling group`, `load balancer`.
    pub kind: &'static str,
    /// Its keeper's name for it.
    pub id: String,
}
