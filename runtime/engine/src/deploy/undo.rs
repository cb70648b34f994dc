use super::switch::{Before, Switch, within};
use super::turn::healthy;
use crate::Error;
use crate::driver::{Generation, Waited};
use crate::event::DeployPhase;
use std::time::Duration;

/// What became of an attempt that is not gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    /// The old generations serve as before, and nothing of the new one is left.
    Wholly,
    /// The old generations, if there are any, cannot bear the traffic alone: the new one keeps it too.
    StillServes,
}

impl Switch<'_> {
    /// Takes the way back. Not interrupted: nobody is helped by half of it.
    pub(super) async fn undo(&self, why: String) -> Result<Undone, Error> {
        self.turn.lease.check()?;
        self.turn.say(Some(self.to), DeployPhase::Undoing { why });
        for old in &self.from {
            self.restore(*old).await?;
        }
        let new = self.turn.look_at(self.node, self.to).await?;
        if let Some(new) = new.filter(|new| new.attached) {
            if self.from.is_empty() && self.kept {
                // It has served before, and nobody else does: ill servers may get well, none cannot.
                return Ok(Undone::StillServes);
            }
            if healthy(&new) > 0 && !self.may_go().await? {
                // Red/black, it has got none of it yet.
                self.turn.share(self.node, self.to).await?;
                return Ok(Undone::StillServes);
            }
            self.turn.detach(self.node, self.to).await?;
        }
        if !self.kept {
            self.turn.remove(self.to).await?;
        }
        if let (Some(served), Some(old)) = (self.served, self.from.last()) {
            self.turn.settle(served, old.generation).await?;
        }
        Ok(Undone::Wholly)
    }

    /// Gives an old generation the servers that it had.
    async fn restore(&self, old: Before) -> Result<(), Error> {
        let found = self.turn.look_at(self.node, old.generation).await?;
        match found {
            Some(found) if found.attached && found.capacity.desired < old.capacity.desired => {
                let node = self.served.unwrap_or(self.node);
                self.turn.resize(node, old.generation, old.capacity).await
            }
            _ => Ok(()),
        }
    }

    /// Whether the new generation, which has healthy servers, may lose its traffic.
    async fn may_go(&self) -> Result<bool, Error> {
        match self.from.is_empty() {
            // The first generation that this run has made may go; one that it found at work may not.
            true => Ok(self.is_new),
            false => self.old_ones_suffice().await,
        }
    }

    /// Whether the old generations have, or get, enough healthy servers to bear the traffic alone.
    async fn old_ones_suffice(&self) -> Result<bool, Error> {
        let Some((last, others)) = self.from.split_last() else { return Ok(false) };
        let serving = |found: &Generation| if found.attached { healthy(found) } else { 0 };
        let mut healthy = 0;
        for old in others {
            let found = self.turn.look_at(self.node, old.generation).await?;
            healthy += found.as_ref().map_or(0, serving);
        }
        let had: u32 = self.from.iter().map(|old| old.capacity.desired).sum();
        let needed = self.floor.min(had);
        let enough = |found: Option<&Generation>| healthy + found.map_or(0, serving) >= needed;
        let patience = within(self.node).max(Duration::from_secs(1));
        let watch = self.turn.deployer.watch(self.node, last.generation, patience, &enough);
        // One that cannot start its servers, for want of capacity or of its image, does not suffice either.
        Ok(matches!(watch.await, Ok(Waited::Seen(_))))
    }
}
