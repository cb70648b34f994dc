use super::compare::{before, is_declared, is_intended, wanted};
use super::goal::Goal;
use super::standing::Standing;
use super::switch::Switch;
use super::turn::{Reading, Turn, healthy};
use super::undo::Undone;
use crate::Error;
use crate::driver::Intent;
use crate::event::DeployPhase;
use kiln::DeploymentNode;

/// How many that died one upon the other are looked after at once.
const DEPTH: usize = 4;

/// What became of what a run that is dead has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovered {
    /// There was nothing.
    Nothing,
    /// It is what is declared: this generation is to take the traffic.
    GoesOn(u32),
    /// It is ended or undone; there may be more.
    Settled,
    /// It is one more generation that another one takes the traffic from.
    Serves,
}

impl Turn<'_> {
    /// Brings what somebody has begun and not ended to where this run can go on, and returns what is there then.
    pub(super) async fn recover(
        &self,
        goal: &Goal<'_>,
        mut reading: Reading,
    ) -> Result<(Recovered, Reading), Error> {
        let mut before = Recovered::Nothing;
        for _ in 0..DEPTH {
            match self.recover_one(goal, &reading).await? {
                Recovered::Settled => {
                    before = Recovered::Settled;
                    reading = self.read().await?;
                }
                Recovered::Nothing => break,
                found => return Ok((found, reading)),
            }
        }
        Ok((before, reading))
    }

    async fn recover_one(&self, goal: &Goal<'_>, reading: &Reading) -> Result<Recovered, Error> {
        let known = reading.known(self.deployer, "");
        let standing = known.standing(goal);
        let intent = reading.intent.as_ref();
        let Some(unfinished) = &standing.unfinished else {
            return match intent {
                None => Ok(Recovered::Nothing),
                Some(intent) => self.recover_unseen(goal, reading, intent, &standing).await,
            };
        };
        let generation = unfinished.generation;
        let number = generation.number;
        let who = unfinished.begun().map_or_else(|| "somebody".to_owned(), |begun| begun.who);
        self.say(Some(number), DeployPhase::Recovering { who });
        if is_declared(goal, generation) {
            return Ok(Recovered::GoesOn(number));
        }
        let alone = standing.attached().all(|attached| attached.number == number);
        let well =
            generation.attached && alone && healthy(generation) >= generation.capacity.desired;
        if let (true, Some(intent)) = (unfinished.switched || well, intent) {
            self.drain(&intent.ending.deployment, reading).await?;
            self.end(&intent.ending.deployment, reading, &[], &intent.ending).await?;
            return Ok(Recovered::Settled);
        }
        let generations = reading.observed.iter().flat_map(|observed| &observed.generations);
        let generations: Vec<_> = generations.cloned().collect();
        let mut switch = Switch::new(self, goal, number, &generations, generation.capacity);
        if let Some(intent) = intent {
            let holder = &intent.holder.who;
            let died = Error::environment(format!("the run of {holder} has died"));
            self.end_badly(&intent.ending, &died).await;
        }
        if switch.from.is_empty() && generation.attached && healthy(generation) > 0 {
            // The only one that answers: the next generation takes the traffic from it.
            return Ok(Recovered::Serves);
        }
        for old in &mut switch.from {
            // While it was rolled, it has shrunk.
            if let Some(entry) = standing.entry(old.generation) {
                let had = before(old.capacity, intent);
                old.capacity = wanted(entry.deployment.replicas, None, Some(had));
            }
        }
        switch.kept = standing.entry(number).is_some();
        switch.served = standing.served();
        let why = "it is not what is declared".to_owned();
        if switch.undo(why).await? == Undone::StillServes {
            return Ok(Recovered::Serves);
        }
        if intent.is_some() {
            self.lease.intend(None).await?;
        }
        Ok(Recovered::Settled)
    }

    /// Gives open requests their time on the servers that a run that is dead has taken the traffic from.
    pub(super) async fn drain(
        &self,
        node: &DeploymentNode,
        reading: &Reading,
    ) -> Result<(), Error> {
        let begun = reading.intent.iter().flat_map(|intent| &intent.from);
        let generations = reading.observed.iter().flat_map(|observed| &observed.generations);
        let idle: Vec<u32> =
            generations.filter(|found| !found.attached).map(|found| found.number).collect();
        for old in begun.filter(|number| idle.contains(number)) {
            self.detach(node, *old).await?;
        }
        Ok(())
    }

    /// What was meant to be done has not left a generation that can be seen.
    async fn recover_unseen(
        &self,
        goal: &Goal<'_>,
        reading: &Reading,
        intent: &Intent,
        standing: &Standing<'_>,
    ) -> Result<Recovered, Error> {
        let number = intent.generation;
        self.say(Some(number), DeployPhase::Recovering { who: intent.holder.who.clone() });
        if is_intended(goal, intent, &reading.history) {
            return Ok(Recovered::GoesOn(number));
        }
        // Of what was made before it parts may be there.
        self.remove(number).await?;
        if let (Some(served), Some(current)) = (standing.served(), standing.current) {
            self.settle(served, current.number).await?;
        }
        self.lease.intend(None).await?;
        Ok(Recovered::Settled)
    }
}
