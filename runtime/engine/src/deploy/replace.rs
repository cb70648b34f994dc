use super::compare::{before, wanted};
use super::goal::Goal;
use super::switch::Switch;
use super::turn::{Reading, Turn};
use super::undo::Undone;
use crate::driver::{Generation, HistoryEntry, Intent};
use crate::{Error, event::DeployPhase};

/// The generation that is to take the traffic.
pub(super) struct Replacement {
    pub(super) to: u32,
    /// Whether it is there and has served before.
    pub(super) kept: bool,
    /// `deploy` or `rollback`.
    pub(super) action: &'static str,
    /// Why, in words.
    pub(super) why: Vec<String>,
    /// When it began, in seconds since 1970: where it goes on, when the run that is dead began it.
    pub(super) at: u64,
}

impl Turn<'_> {
    /// Gives the traffic to another generation, or leaves it where it is and says why. Returns its number.
    pub(super) async fn replace(
        &self,
        goal: &Goal<'_>,
        reading: &Reading,
        replacement: Replacement,
    ) -> Result<u32, Error> {
        let Replacement { to, kept, action, why, at } = replacement;
        self.goes_on()?;
        let generations = reading.observed.iter().flat_map(|observed| &observed.generations);
        let mut generations: Vec<Generation> = generations.cloned().collect();
        let standing = reading.known(self.deployer, "").standing(goal);
        let none = standing.attached().next().is_none();
        let lost = standing.current.map(|current| current.number);
        let lost = lost.filter(|number| none && *number != to);
        // Somebody has taken the traffic from the one that serves: it serves until the new one can.
        let found = generations.iter_mut().find(|found| Some(found.number) == lost);
        found.into_iter().for_each(|found| found.attached = true);
        let serving = generations.iter().filter(|found| found.attached && found.number != to);
        let now = serving
            .max_by_key(|found| found.capacity.desired)
            .or_else(|| generations.iter().find(|found| found.attached));
        let then = now.filter(|found| found.number != to).and_then(|found| found.declared);
        let now = now.map(|found| before(found.capacity, reading.intent.as_ref()));
        let capacity = wanted(goal.node.replicas, then, now);
        let mut switch = Switch::new(self, goal, to, &generations, capacity);
        for old in &mut switch.from {
            if let Some(entry) = standing.entry(old.generation) {
                let had = before(old.capacity, reading.intent.as_ref());
                let declared = wanted(entry.deployment.replicas, None, Some(had));
                // What a run that is dead has shrunk was declared with more.
                if old.capacity.desired < declared.desired {
                    old.capacity = declared;
                }
            }
        }
        switch.kept = kept;
        let unfinished = standing.unfinished.as_ref();
        switch.switched =
            unfinished.is_some_and(|found| found.switched && found.generation.number == to);
        switch.regained = lost.is_some();
        switch.served = standing.served();
        let mut ending = self.entry(goal, to, action, why.join("; "));
        ending.at = at;
        let intent = Intent {
            generation: to,
            from: switch.from.iter().map(|old| old.generation).collect(),
            image: ending.image.clone(),
            capacity,
            holder: self.run.options.holder.clone(),
            at,
            ending: ending.clone(),
        };
        if let (Some(key), Some(record)) = (&goal.image.key, &goal.image.record) {
            self.lease.keep(key, record).await?;
        }
        self.lease.intend(Some(&intent)).await?;
        let gone = async {
            if let Some(lost) = lost {
                let node = switch.served.unwrap_or(&goal.node);
                self.prepare(node, lost).await?;
                self.attach(node, lost).await?;
            }
            self.prepare(&goal.node, to).await?;
            self.say(Some(to), DeployPhase::Launching { why });
            switch.go().await
        };
        let gone = gone.await;
        self.ended(goal, reading, &switch, &ending, gone).await
    }

    async fn ended(
        &self,
        goal: &Goal<'_>,
        reading: &Reading,
        switch: &Switch<'_>,
        ending: &HistoryEntry,
        gone: Result<(), Error>,
    ) -> Result<u32, Error> {
        let to = switch.to;
        let error = match gone {
            Ok(()) => {
                let ended = async {
                    // Also where a run that is dead has taken the traffic from the old ones, and not settled.
                    if reading.serves() || switch.regained {
                        self.drain(&goal.node, reading).await?;
                        self.settle(&goal.node, to).await?;
                    }
                    self.end(&goal.node, reading, &switch.removed, ending).await
                };
                return match ended.await {
                    Ok(()) => {
                        let phase =
                            DeployPhase::Done { action: ending.action.clone(), ms: self.ms() };
                        self.say(Some(to), phase);
                        Ok(to)
                    }
                    Err(error) => Err(and(
                        error,
                        &format!("generation {to} serves; the next deploy ends what is left"),
                    )),
                };
            }
            Err(error) => error,
        };
        self.lease.check()?;
        if switch.switched {
            let help = format!("generation {to} serves; the next deploy ends what is left");
            return Err(and(error, &help));
        }
        let undone = switch.undo(error.chain()).await;
        self.end_badly(ending, &error).await;
        let old: Vec<String> = switch.from.iter().map(|old| old.generation.to_string()).collect();
        let old = old.join(" and ");
        match undone {
            Ok(Undone::Wholly) => {
                if let Err(error) = self.lease.intend(None).await {
                    let message = format!("the next deploy looks after it: {}", error.chain());
                    (self.run.events)(crate::Event::Warning { message });
                }
                match old.is_empty() {
                    true => Err(and(error, &format!("nothing is left of generation {to}"))),
                    false => Err(and(error, &format!("generation {old} serves as before"))),
                }
            }
            Ok(Undone::StillServes) => {
                let help = match old.is_empty() {
                    true => format!("generation {to} stays, because nothing else serves"),
                    false => format!(
                        "generation {old} cannot bear the traffic alone, so {to} serves beside it; deploy what works"
                    ),
                };
                Err(and(error, &help))
            }
            Err(left) => {
                let help =
                    format!("it could not be undone ({}); the next deploy does", left.chain());
                Err(and(error, &help))
            }
        }
    }
}

/// Adds to what an error says to do.
pub(super) fn and(error: Error, more: &str) -> Error {
    match error.help_text() {
        Some(help) => {
            let help = format!("{help}; {more}");
            error.help(help)
        }
        None => error.help(more),
    }
}
