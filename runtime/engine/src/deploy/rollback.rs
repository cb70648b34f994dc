use super::goal::Goal;
use super::recover::Recovered;
use super::replace::{Replacement, and};
use super::turn::{Reading, Turn};
use crate::Error;
use crate::driver::{Generation, HistoryEntry, Intent};
use crate::event::DeployPhase;
use std::collections::BTreeSet;

impl Turn<'_> {
    /// Gives the traffic to an earlier generation. Returns the number of the one that serves.
    pub(super) async fn rollback(&self, to: Option<u32>) -> Result<u32, Error> {
        let reading = self.read().await?;
        let observed = reading.observed.iter().flat_map(|observed| &observed.generations);
        let past = (&reading.history[..], reading.intent.as_ref());
        let earlier = earlier(self.deployment, observed, past, to)?.clone();
        let number = earlier.generation;
        let goal = self.goal(&reading, &earlier);
        let (recovered, reading) = self.recover(&goal, reading).await?;
        let goal = self.goal(&reading, &earlier);
        let standing = reading.known(self.deployer, "").standing(&goal);
        let serves = standing.current.filter(|current| current.attached);
        if recovered == Recovered::Nothing && serves.is_some_and(|current| current.number == number)
        {
            let message = format!("generation {number} of `{}` serves", self.deployment);
            return Err(Error::input(message).help("name another one with `--to`"));
        }
        let replacement = match recovered {
            Recovered::GoesOn(to) => self.begun(&reading, to, "rollback"),
            _ => {
                let kept = standing.generation(number).is_some();
                let (to, why) = match kept {
                    true => (number, format!("back to generation {number}")),
                    false => (standing.next, format!("back to what generation {number} was")),
                };
                Replacement { to, kept, action: "rollback", why: vec![why], at: self.at }
            }
        };
        let kept = replacement.kept;
        let ready: Vec<String> =
            standing.warm().iter().map(|warm| warm.number.to_string()).collect();
        let ended = self.replace(&goal, &reading, replacement).await;
        match kept || ready.is_empty() {
            true => ended,
            false => ended.map_err(|error| {
                let ready = ready.join(" and ");
                and(error, &format!("generation {ready} is kept: `--to` can go there at once"))
            }),
        }
    }

    /// What was deployed then, for as many servers as were declared last.
    fn goal(&self, reading: &Reading, earlier: &HistoryEntry) -> Goal<'static> {
        let mut node = earlier.deployment.clone();
        let last = reading.history.iter().rfind(|entry| entry.failure.is_none());
        if let Some(last) = last.filter(|entry| entry.action != "destroy") {
            node.replicas = last.deployment.replicas;
        }
        Goal::earlier(self.deployer, earlier, node)
    }

    /// Removes everything that was made for the deployment.
    pub(super) async fn destroy(&self) -> Result<(), Vec<Error>> {
        let one = |error: Error| vec![error];
        let history = self.run.state.history(self.deployment).await.map_err(one)?;
        self.goes_on().map_err(one)?;
        self.remove_all().await?;
        if let Some(last) = history.last() {
            let mut entry = last.clone();
            entry.action = "destroy".into();
            entry.why = "everything was removed".into();
            (entry.failure, entry.at, entry.ms) = (None, self.at, self.ms());
            entry.who.clone_from(&self.run.options.holder.who);
            self.lease.record(&entry).await.map_err(one)?;
        }
        self.lease.intend(None).await.map_err(one)?;
        self.say(None, DeployPhase::Done { action: "destroy".into(), ms: self.ms() });
        Ok(())
    }
}

/// The entry of a deployment's history that a rollback brings back: of the generation `to`, else of the one that had the
/// traffic before, or that an unfinished rollback was to. `past`: its history and what was begun.
///
/// # Errors
/// When the history has none, with the generations that it has.
pub fn earlier<'a>(
    deployment: &str,
    generations: impl IntoIterator<Item = &'a Generation>,
    past: (&'a [HistoryEntry], Option<&'a Intent>),
    to: Option<u32>,
) -> Result<&'a HistoryEntry, Error> {
    let (history, intent) = past;
    let rolled_back = intent.filter(|intent| intent.ending.action == "rollback" && to.is_none());
    let attached = generations.into_iter().filter(|found| found.attached);
    let serves = attached.map(|found| found.number).max().or_else(|| {
        let last = history.iter().rfind(|entry| entry.failure.is_none());
        last.filter(|entry| entry.action != "destroy").map(|entry| entry.generation)
    });
    let wanted = |entry: &&HistoryEntry| {
        let generation = entry.generation;
        let asked = match (to, rolled_back) {
            (Some(to), _) => generation == to,
            // A rollback that has not ended was to there.
            (None, Some(intent)) => generation == intent.generation,
            (None, None) => Some(generation) != serves,
        };
        asked && entry.failure.is_none() && entry.action != "destroy"
    };
    if let Some(entry) = history.iter().rfind(wanted) {
        return Ok(entry);
    }
    // One that is gone is made again under a number of its own, of which there is no history before it serves.
    let begun = intent.filter(|intent| intent.ending.action == "rollback");
    let begun = begun.filter(|intent| to.is_none_or(|to| to == intent.generation));
    if let Some(intent) = begun {
        return Ok(&intent.ending);
    }
    let served = history.iter().filter(|entry| entry.failure.is_none());
    let known: BTreeSet<u32> =
        served.map(|entry| entry.generation).filter(|number| Some(*number) != serves).collect();
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    let message = match to {
        Some(to) if Some(to) == serves => {
            format!("generation {to} of `{deployment}` serves, and its history does not have it")
        }
        Some(to) => format!("the history of `{deployment}` has no generation {to} that served"),
        None => format!("the history of `{deployment}` has no earlier generation that served"),
    };
    Err(Error::input(message).help(match known.is_empty() {
        true => "deploy what works instead".to_owned(),
        false => format!("there are: {}", known.join(", ")),
    }))
}
