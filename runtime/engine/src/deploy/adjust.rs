use super::Outcome;
use super::compare::{ill, is_edited, kept, wanted};
use super::goal::Goal;
use super::replace::and;
use super::standing::Standing;
use super::switch::Switch;
use super::turn::{Reading, Turn};
use crate::Error;
use crate::driver::HistoryEntry;
use crate::event::DeployPhase;

impl Turn<'_> {
    /// Mends what differs while the generation runs.
    pub(super) async fn adjust(
        &self,
        goal: &Goal<'_>,
        reading: &Reading,
        why: Vec<String>,
    ) -> Result<Outcome, Error> {
        let standing = reading.known(self.deployer, "").standing(goal);
        let Some(current) = standing.current else { return Ok(Outcome::Unchanged) };
        let (node, number) = (&*goal.node, current.number);
        self.goes_on()?;
        let mut entry = self.entry(goal, number, "adjust", why.join("; "));
        let moves = *reading.front() != goal.declared.front;
        if moves {
            self.move_front(goal, &standing, &entry).await?;
            // What is undone from here on is undone to this.
            self.lease.record(&entry).await?;
        }
        let capacity = wanted(node.replicas, current.declared, Some(current.capacity));
        let switch = Switch::new(self, goal, number, &[], capacity);
        let resizes = current.capacity != capacity
            || current.running != goal.declared.running
            || is_edited(node.replicas, current.declared);
        if resizes {
            switch.resize(current.attached, current.capacity, capacity).await?;
        }
        let grows = current.capacity.desired < capacity.desired;
        let lost = !current.attached;
        if lost {
            self.attach(node, number).await?;
        }
        for surplus in standing.warm().into_iter().skip(kept(node.strategy)) {
            self.remove(surplus.number).await?;
        }
        let mut ended = Ok(());
        if grows || lost || !ill(current).is_empty() {
            self.say(Some(number), DeployPhase::Checking);
            ended = switch.healthy(capacity.desired, true, switch.deadline()).await.map(drop);
        }
        entry.ms = self.ms();
        if let Err(error) = &ended {
            entry.failure = Some(error.chain());
        }
        if !moves || resizes || lost {
            self.lease.record(&entry).await?;
        }
        ended?;
        self.say(Some(number), DeployPhase::Done { action: entry.action, ms: entry.ms });
        Ok(Outcome::Adjusted { generation: number })
    }

    /// Waits until servers that are missing or ill have been replaced.
    pub(super) async fn mend(&self, goal: &Goal<'_>, reading: &Reading) -> Result<Outcome, Error> {
        let standing = reading.known(self.deployer, "").standing(goal);
        let Some(current) = standing.current else { return Ok(Outcome::Unchanged) };
        let (number, all) = (current.number, current.capacity.desired);
        self.goes_on()?;
        self.say(Some(number), DeployPhase::Checking);
        let switch = Switch::new(self, goal, number, &[], current.capacity);
        switch.healthy(all, true, switch.deadline()).await?;
        self.say(Some(number), DeployPhase::Done { action: "mend".into(), ms: self.ms() });
        Ok(Outcome::Adjusted { generation: number })
    }

    /// Makes what stands before the servers as declared, or leaves it as it was and says why.
    async fn move_front(
        &self,
        goal: &Goal<'_>,
        standing: &Standing<'_>,
        entry: &HistoryEntry,
    ) -> Result<(), Error> {
        let moved = async {
            self.prepare(&goal.node, entry.generation).await?;
            self.settle(&goal.node, entry.generation).await
        };
        let Err(error) = moved.await else { return Ok(()) };
        self.lease.check()?;
        let back = match standing.served() {
            Some(node) => self.settle(node, entry.generation).await,
            None => Ok(()),
        };
        self.end_badly(entry, &error).await;
        let help = match back {
            Ok(()) => format!("generation {} serves as before", entry.generation),
            Err(left) => format!("it could not be undone ({}); the next deploy does", left.chain()),
        };
        Err(and(error, &help))
    }
}
