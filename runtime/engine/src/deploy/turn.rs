use super::goal::Goal;
use super::look::Look;
use super::run::{Run, now};
use super::weigh::Known;
use crate::Error;
use crate::driver::{
    Capacity, Deployer, Generation, HistoryEntry, Intent, Judge, Launch, Lease, Observed,
    ServerHealth, Traits, Waited,
};
use crate::event::DeployPhase;
use kiln::DeploymentNode;
use std::time::{Duration, Instant};

/// One deployment, while this run has the right to change it. Every change goes through here: none is made without that
/// right.
pub(super) struct Turn<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) deployer: &'a dyn Deployer,
    pub(super) deployment: &'a str,
    pub(super) lease: &'a dyn Lease,
    look: &'a Look,
    began: Instant,
    /// When it began, in seconds since 1970.
    pub(super) at: u64,
}

/// What was read of a deployment after its turn had come.
pub(super) struct Reading {
    pub(super) observed: Option<Observed>,
    pub(super) history: Vec<HistoryEntry>,
    pub(super) intent: Option<Intent>,
}

impl Reading {
    pub(super) fn known<'a>(&'a self, deployer: &'a dyn Deployer, place: &'a str) -> Known<'a> {
        let observed = self.observed.as_ref();
        Known { place, deployer, observed, history: &self.history, intent: self.intent.as_ref() }
    }

    /// Whether any generation had traffic.
    pub(super) fn serves(&self) -> bool {
        let mut all = self.observed.iter().flat_map(|observed| &observed.generations);
        all.any(|generation| generation.attached)
    }

    /// What stands before the servers.
    pub(super) fn front(&self) -> &Traits {
        const NOTHING: &Traits = &Traits::new();
        self.observed.as_ref().map_or(NOTHING, |observed| &observed.front)
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        deployer: &'a dyn Deployer,
        deployment: &'a str,
        lease: &'a dyn Lease,
        look: &'a Look,
    ) -> Self {
        Self { run, deployer, deployment, lease, look, began: Instant::now(), at: now() }
    }

    pub(super) fn say(&self, generation: Option<u32>, phase: DeployPhase) {
        self.run.say(self.deployment, generation, phase);
    }

    pub(super) fn ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Fails when the user has asked to stop.
    pub(super) fn goes_on(&self) -> Result<(), Error> {
        match *self.run.options.interrupted.borrow() {
            true => Err(Error::interrupted()),
            false => Ok(()),
        }
    }

    /// Reads everything there is of the deployment.
    pub(super) async fn read(&self) -> Result<Reading, Error> {
        let intent = self.lease.intent().await?;
        let history = self.run.state.history(self.deployment).await?;
        let observed = self.look.fresh(self.deployer).await?;
        let mine = observed.iter().find(|observed| observed.deployment == self.deployment);
        Ok(Reading { observed: mine.cloned(), history, intent })
    }

    /// What will be in the history when this ends well.
    pub(super) fn entry(
        &self,
        goal: &Goal<'_>,
        generation: u32,
        action: &str,
        why: String,
    ) -> HistoryEntry {
        let layers = goal.image.layers.iter();
        HistoryEntry {
            generation,
            action: action.to_owned(),
            why,
            failure: None,
            image: goal.image.artifact().unwrap_or_default().to_owned(),
            image_key: goal.image.key.clone().unwrap_or_default(),
            deployment: goal.node.clone().into_owned(),
            launch: goal.declared.launch.clone(),
            layers: layers.map(|layer| (layer.layer.clone(), layer.key.clone())).collect(),
            who: self.run.options.holder.who.clone(),
            at: self.at,
            ms: 0,
        }
    }

    /// A generation as it is now.
    pub(super) async fn look_at(
        &self,
        node: &DeploymentNode,
        generation: u32,
    ) -> Result<Option<Generation>, Error> {
        let seen = |_: Option<&Generation>| true;
        match self.deployer.watch(node, generation, Duration::ZERO, &seen).await? {
            Waited::Seen(generation) | Waited::OutOfTime(generation) => Ok(generation),
        }
    }

    /// Watches until the judge has seen enough, or the user asks to stop.
    pub(super) async fn watch(
        &self,
        node: &DeploymentNode,
        generation: u32,
        within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error> {
        let mut interrupted = self.run.options.interrupted.clone();
        tokio::select! {
            biased;
            Ok(_) = interrupted.wait_for(|asked| *asked) => Err(Error::interrupted()),
            watched = self.deployer.watch(node, generation, within, judge) => watched,
        }
    }

    /// Makes a change, as long as this run has the right to: one that has lost it stops where it is, as if it had died.
    async fn held<T>(&self, change: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.lease.check()?;
        tokio::select! {
            biased;
            changed = change => changed,
            () = self.lease.lost() => Err(self.lost()),
        }
    }

    /// Removes everything that was made for the deployment.
    pub(super) async fn remove_all(&self) -> Result<(), Vec<Error>> {
        self.lease.check().map_err(|error| vec![error])?;
        self.say(None, DeployPhase::Removing);
        let output = self.output(None);
        tokio::select! {
            biased;
            removed = self.deployer.destroy(self.deployment, &output) => removed,
            () = self.lease.lost() => Err(vec![self.lost()]),
        }
    }

    fn lost(&self) -> Error {
        match self.lease.check() {
            Err(error) => error,
            Ok(()) => Error::environment("the lease was lost"),
        }
    }

    pub(super) async fn prepare(
        &self,
        node: &DeploymentNode,
        generation: u32,
    ) -> Result<(), Error> {
        self.say(None, DeployPhase::Preparing);
        self.held(self.deployer.prepare(node, generation, &self.output(None))).await
    }

    pub(super) async fn share(
        &self,
        node: &DeploymentNode,
        generation: u32,
    ) -> Result<bool, Error> {
        self.held(self.deployer.share(node, generation)).await
    }

    pub(super) async fn settle(&self, node: &DeploymentNode, generation: u32) -> Result<(), Error> {
        self.say(None, DeployPhase::Preparing);
        self.held(self.deployer.settle(node, generation, &self.output(None))).await
    }

    pub(super) async fn launch(&self, launch: &Launch<'_>) -> Result<(), Error> {
        self.held(self.deployer.launch(launch, &self.output(Some(launch.generation)))).await
    }

    pub(super) async fn resize(
        &self,
        node: &DeploymentNode,
        generation: u32,
        capacity: Capacity,
    ) -> Result<(), Error> {
        self.say(Some(generation), DeployPhase::Resizing { to: capacity.desired });
        self.held(self.deployer.resize(node, generation, capacity)).await
    }

    pub(super) async fn attach(&self, node: &DeploymentNode, generation: u32) -> Result<(), Error> {
        self.say(Some(generation), DeployPhase::Attaching);
        self.held(self.deployer.attach(node, generation)).await
    }

    pub(super) async fn detach(&self, node: &DeploymentNode, generation: u32) -> Result<(), Error> {
        self.say(Some(generation), DeployPhase::Draining);
        self.held(self.deployer.detach(node, generation, &self.output(Some(generation)))).await
    }

    pub(super) async fn remove(&self, generation: u32) -> Result<(), Error> {
        self.say(Some(generation), DeployPhase::Removing);
        let output = self.output(Some(generation));
        self.held(self.deployer.remove(self.deployment, generation, &output)).await
    }

    pub(super) fn output(&self, generation: Option<u32>) -> impl Fn(&str) + Send + Sync {
        move |line| self.say(generation, DeployPhase::Output { line: line.to_owned() })
    }
}

/// How many of its servers are healthy.
pub(super) fn healthy(generation: &Generation) -> u32 {
    let servers = generation.servers.iter();
    let healthy = servers.filter(|server| server.health == ServerHealth::Healthy);
    u32::try_from(healthy.count()).unwrap_or(u32::MAX)
}
