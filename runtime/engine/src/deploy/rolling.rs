use super::switch::Switch;
use super::turn::healthy;
use crate::Error;
use crate::driver::{Capacity, Generation};
use crate::event::DeployPhase;

impl Switch<'_> {
    /// The new generation grows as the old ones shrink.
    ///
    /// A step begins with the new servers: the old ones that they replace go only when those are healthy with traffic,
    /// and only as many as leaves enough. Where old ones are unhealthy, that may be none; then the new generation grows
    /// on, until it can bear the traffic alone. So it does where it shares no traffic with them.
    pub(super) async fn rolling(&mut self, step: u32) -> Result<(), Error> {
        let all = self.capacity.desired;
        let found = self.found().await?;
        let there = found.map_or(0, |found| found.capacity.desired);
        let mut size = step.max(there).min(all);
        self.exist(held(size)).await?;
        self.turn.say(Some(self.to), DeployPhase::Starting);
        let seen = self.healthy(size, false, self.deadline()).await?;
        self.attached(seen.as_ref()).await?;
        loop {
            self.turn.say(Some(self.to), DeployPhase::Checking);
            self.healthy(size, true, self.deadline()).await?;
            let shares = self.shared().await?;
            if size == all {
                break;
            }
            if shares {
                self.shrink(all - size).await?;
            }
            self.turn.goes_on()?;
            size = size.saturating_add(step).min(all);
            self.turn.resize(self.node, self.to, held(size)).await?;
        }
        self.soak(all).await?;
        for old in self.from.clone() {
            self.bears_the_traffic(all, self.deadline()).await?;
            self.turn.detach(self.node, old.generation).await?;
            self.turn.remove(old.generation).await?;
            self.removed.push(old.generation);
        }
        match self.capacity == held(all) {
            true => Ok(()),
            false => self.turn.resize(self.node, self.to, self.capacity).await,
        }
    }

    /// Shrinks the old generations to so many servers in all, as far as enough healthy ones stay even if those that go
    /// are healthy.
    async fn shrink(&self, to: u32) -> Result<(), Error> {
        let mut old = Vec::new();
        for before in &self.from {
            let found = self.turn.look_at(self.node, before.generation).await?;
            old.extend(found.filter(|found| found.attached));
        }
        let new = self.turn.look_at(self.node, self.to).await?.filter(|new| new.attached);
        let mut serving: u32 = old.iter().map(lasting).sum();
        serving += new.as_ref().map_or(0, lasting);
        let there: u32 = old.iter().map(|old| old.capacity.desired).sum();
        let mut surplus = there.saturating_sub(to).min(serving.saturating_sub(self.floor));
        for old in old {
            // The last one goes when all has been seen to be healthy, not before.
            let takes = surplus.min(old.capacity.desired.saturating_sub(1));
            if takes == 0 {
                continue;
            }
            surplus -= takes;
            let left = held(old.capacity.desired - takes);
            // With the tags that it has: it may have to serve as before.
            let node = self.served.unwrap_or(self.node);
            self.turn.resize(node, old.number, left).await?;
        }
        Ok(())
    }
}

/// How many healthy servers a generation has that are to stay: some may not have begun to leave yet.
fn lasting(generation: &Generation) -> u32 {
    healthy(generation).min(generation.capacity.desired)
}

/// So many servers, whoever may want to move their number.
pub(super) fn held(servers: u32) -> Capacity {
    Capacity { min: servers, desired: servers, max: servers }
}
