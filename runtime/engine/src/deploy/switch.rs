use super::compare::is_edited;
use super::goal::Goal;
use super::turn::{Turn, healthy};
use super::unhealthy::Missed;
use crate::Error;
use crate::driver::{Capacity, Generation, Launch, Server, ServerHealth, Waited};
use crate::event::DeployPhase;
use kiln::{DeploymentNode, Strategy};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long servers are waited for where a deployment declares no health check.
const WITHIN: Duration = Duration::from_secs(600);

/// The way from the generations that have the traffic to the one that takes it.
pub(super) struct Switch<'a> {
    pub(super) turn: &'a Turn<'a>,
    pub(super) node: &'a DeploymentNode,
    /// What the new generation starts from.
    pub(super) image: &'a str,
    pub(super) to: u32,
    /// Those that have the traffic, oldest first, as they are to be again if this is undone.
    pub(super) from: Vec<Before>,
    /// How many servers the new generation is to have.
    pub(super) capacity: Capacity,
    /// There are never fewer healthy servers with traffic: what is declared, or what there were.
    pub(super) floor: u32,
    /// Whether the new generation has served before: it is neither made nor removed.
    pub(super) kept: bool,
    /// Whether the new generation was not there when all was read: no look is spent on finding that out again.
    pub(super) is_new: bool,
    /// What the generation that serves was declared with, as far as that is remembered.
    pub(super) served: Option<&'a DeploymentNode>,
    /// Whether an old generation had lost its traffic, and has it again until the new one takes it.
    pub(super) regained: bool,
    /// Whether a generation has lost its traffic for good: there is no way back from there, only on.
    pub(super) switched: bool,
    /// The old generations that are removed.
    pub(super) removed: Vec<u32>,
}

/// A generation that had the traffic, and how many servers.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) generation: u32,
    pub(super) capacity: Capacity,
}

impl<'a> Switch<'a> {
    /// From all that have traffic among these to another one.
    pub(super) fn new(
        turn: &'a Turn<'a>,
        goal: &'a Goal<'_>,
        to: u32,
        generations: &[Generation],
        capacity: Capacity,
    ) -> Self {
        let serving = generations.iter().filter(|generation| generation.attached);
        let healthy: u32 = serving.clone().map(healthy).sum();
        let old = serving.filter(|generation| generation.number != to);
        let before = |old: &Generation| Before { generation: old.number, capacity: old.capacity };
        Self {
            turn,
            node: &goal.node,
            image: goal.image.artifact().unwrap_or_default(),
            to,
            from: old.map(before).collect(),
            capacity,
            floor: goal.node.replicas.min.max(1).min(healthy),
            kept: false,
            is_new: generations.iter().all(|found| found.number != to),
            served: None,
            regained: false,
            switched: false,
            removed: Vec::new(),
        }
    }

    /// Goes the way, from wherever it is.
    pub(super) async fn go(&mut self) -> Result<(), Error> {
        match self.node.strategy {
            Strategy::RedBlack { .. } => self.red_black().await,
            Strategy::Rolling { step } => self.rolling(step.max(1)).await,
        }
    }

    /// All new ones beside the old ones; when all are healthy they take the traffic from the old ones, at once where they
    /// stand behind something of their own.
    async fn red_black(&mut self) -> Result<(), Error> {
        let all = self.capacity.desired;
        let deadline = self.deadline();
        self.exist(self.capacity).await?;
        self.turn.say(Some(self.to), DeployPhase::Starting);
        let seen = self.healthy(all, false, deadline).await?;
        self.attached(seen.as_ref()).await?;
        self.turn.say(Some(self.to), DeployPhase::Checking);
        self.healthy(all, true, deadline).await?;
        self.soak(all).await?;
        for old in self.from.clone() {
            self.bears_the_traffic(all, deadline).await?;
            self.turn.detach(self.node, old.generation).await?;
        }
        Ok(())
    }

    /// Gives it its part of the traffic, now that it is healthy. Whether it can have a part: behind another load balancer
    /// it cannot.
    pub(super) async fn shared(&self) -> Result<bool, Error> {
        match self.from.is_empty() {
            true => Ok(true),
            false => self.turn.share(self.node, self.to).await,
        }
    }

    /// Fails unless this generation can bear the traffic alone, by a look that was made just now: somebody else may have
    /// been there since the last one. From here on an old generation may lose it.
    pub(super) async fn bears_the_traffic(
        &mut self,
        all: u32,
        deadline: Instant,
    ) -> Result<(), Error> {
        let found = self.turn.look_at(self.node, self.to).await?;
        if !found.is_some_and(|found| found.attached && healthy(&found) >= all) {
            self.healthy(all, true, deadline).await?;
        }
        if !self.switched {
            self.turn.goes_on()?;
        }
        self.turn.lease.check()?;
        self.switched = true;
        Ok(())
    }

    /// Makes the generation be there, with so many servers.
    pub(super) async fn exist(&self, capacity: Capacity) -> Result<(), Error> {
        self.turn.goes_on()?;
        let found = self.found().await?;
        let served = found.as_ref().is_some_and(|found| found.attached) || self.kept;
        if !served {
            // Where it is there, the run that made it may have died half-way.
            let launch =
                Launch { deployment: self.node, generation: self.to, image: self.image, capacity };
            self.turn.launch(&launch).await?;
        }
        match found {
            Some(found)
                if found.capacity != capacity || is_edited(self.node.replicas, found.declared) =>
            {
                self.resize(found.attached, found.capacity, capacity).await
            }
            _ => Ok(()),
        }
    }

    /// Makes how many servers it has. Where it has traffic and gets fewer, only when enough healthy ones stay even if those
    /// that go are healthy; or when there are none to lose. Who was asked for and never came does not go.
    pub(super) async fn resize(
        &self,
        attached: bool,
        now: Capacity,
        capacity: Capacity,
    ) -> Result<(), Error> {
        if attached && now.desired > capacity.desired {
            let least = capacity.min.max(1).min(capacity.desired);
            let needed = |generation: &Generation| match present(generation) {
                there if there > capacity.desired => there - capacity.desired + least,
                _ => 0,
            };
            let enough = |generation: Option<&Generation>| {
                generation.is_some_and(|found| {
                    let count = healthy(found);
                    count == 0 || count >= needed(found)
                })
            };
            let waited = self.turn.watch(self.node, self.to, within(self.node), &enough).await?;
            if let Waited::OutOfTime(last) = waited {
                let of = last.as_ref().map_or(least, needed);
                return Err(self.unhealthy(last.as_ref(), of, Missed::Within).await);
            }
        }
        self.turn.resize(self.node, self.to, capacity).await
    }

    /// The generation, as far as it is there.
    pub(super) async fn found(&self) -> Result<Option<Generation>, Error> {
        match self.is_new {
            true => Ok(None),
            false => self.turn.look_at(self.node, self.to).await,
        }
    }

    /// Gives it traffic, beside the others, unless it was seen to have it.
    pub(super) async fn attached(&self, seen: Option<&Generation>) -> Result<(), Error> {
        if seen.is_some_and(|seen| seen.attached) {
            return Ok(());
        }
        self.turn.goes_on()?;
        self.turn.attach(self.node, self.to).await
    }

    /// Waits until so many of its servers are healthy; the generation as it was seen then.
    pub(super) async fn healthy(
        &self,
        of: u32,
        attached: bool,
        deadline: Instant,
    ) -> Result<Option<Generation>, Error> {
        let told = Mutex::new(None);
        let enough = |generation: Option<&Generation>| {
            // What was just made may not be visible yet.
            let Some(generation) = generation else { return false };
            let count = healthy(generation);
            let before = told.lock().unwrap_or_else(PoisonError::into_inner).replace(count);
            if before != Some(count) {
                self.turn.say(Some(self.to), DeployPhase::Health { healthy: count, of });
            }
            count >= of && (generation.attached || !attached)
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match self.turn.watch(self.node, self.to, left, &enough).await? {
            Waited::Seen(seen) => Ok(seen),
            Waited::OutOfTime(last) => Err(self.unhealthy(last.as_ref(), of, Missed::Within).await),
        }
    }

    /// Waits while they must stay healthy.
    pub(super) async fn soak(&self, of: u32) -> Result<(), Error> {
        let ms = self.node.health.as_ref().map_or(0, |health| health.soak_ms);
        if ms == 0 {
            return Ok(());
        }
        self.turn.say(Some(self.to), DeployPhase::Soaking { ms });
        let falls_ill = |generation: Option<&Generation>| {
            generation.is_some_and(|generation| healthy(generation) < of)
        };
        let soak = Duration::from_millis(ms);
        match self.turn.watch(self.node, self.to, soak, &falls_ill).await? {
            Waited::OutOfTime(_) => Ok(()),
            Waited::Seen(last) => Err(self.unhealthy(last.as_ref(), of, Missed::Soak(soak)).await),
        }
    }

    /// Until when they must be healthy.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + within(self.node)
    }
}

/// How many servers are there and stay, healthy or not.
fn present(generation: &Generation) -> u32 {
    let stays = |server: &&Server| server.health != ServerHealth::Leaving;
    u32::try_from(generation.servers.iter().filter(stays).count()).unwrap_or(u32::MAX)
}

/// Within which time all servers of a new generation must be healthy.
pub(super) fn within(node: &DeploymentNode) -> Duration {
    node.health.as_ref().map_or(WITHIN, |health| Duration::from_millis(health.within_ms))
}
