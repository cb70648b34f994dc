use super::goal::Goal;
use super::weigh::Known;
use super::{Change, Desired, PlannedDeployment};
use crate::driver::{Deployer, HistoryEntry, Intent, Observed};
use crate::{Digest, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a deploy will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of the recipes, those that are not in them last.
    pub deployments: Vec<PlannedDeployment>,
}

/// One place where deployments run, as EC2's regions are: what is declared there, and what runs there.
pub struct Place<'a> {
    /// Its name: `eu-west-1`.
    pub name: &'a str,
    /// Who knows what a deployment is to be like there. Nothing is asked that goes over the network.
    pub deployer: &'a dyn Deployer,
    /// What is declared there, in the order of the recipes.
    pub desired: &'a [Desired],
    /// What runs there: [`Deployer::observe`].
    pub observed: &'a [Observed],
}

impl<'a> Place<'a> {
    /// What the history says of the generation that serves; `None`: nothing, or none does.
    #[must_use]
    pub fn served(&self, desired: &Desired, past: Past<'a>) -> Option<&'a HistoryEntry> {
        let name = &desired.node.name;
        let observed = self.observed.iter().find(|observed| observed.deployment == *name);
        let standing =
            self.known(name, observed, past).standing(&Goal::declared(self.deployer, desired));
        standing.entry(standing.current?.number)
    }

    fn known(&self, name: &str, observed: Option<&'a Observed>, past: Past<'a>) -> Known<'a> {
        Known {
            place: self.name,
            deployer: self.deployer,
            observed,
            history: past.histories.get(name).map_or(&[], Vec::as_slice),
            intent: past.intents.get(name),
        }
    }
}

/// What is written down beside what runs.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// What was deployed, oldest first, by deployment. One that is not there tells no drift from a changed recipe.
    pub histories: &'a BTreeMap<String, Vec<HistoryEntry>>,
    /// What was begun and has not ended, by deployment.
    pub intents: &'a BTreeMap<String, Intent>,
}

/// How many deployments a plan changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Made for the first time, or again because somebody has removed them.
    pub create: usize,
    /// Replaced by a new generation.
    pub roll: usize,
    /// Changed while they run.
    pub change: usize,
}

impl Plan {
    /// Compares what is declared with what runs. Pure: reads nothing.
    ///
    /// Histories are only needed of deployments in which something differs: a first plan without any says in which
    /// ([`Self::work`]), so that nothing changed reads none.
    #[must_use]
    pub fn make(places: &[Place<'_>], past: Past<'_>) -> Self {
        let (mut deployments, mut orphans) = (Vec::new(), Vec::new());
        for place in places {
            let found = place.observed.iter();
            let mut observed: BTreeMap<&str, &Observed> =
                found.map(|observed| (observed.deployment.as_str(), observed)).collect();
            let known = |name: &str, observed| place.known(name, observed, past);
            for desired in place.desired {
                let name = &desired.node.name;
                let runs = observed.remove(name.as_str());
                deployments.push(known(name, runs).plan(desired));
            }
            let left = observed.into_iter();
            orphans.extend(left.filter_map(|(name, runs)| known(name, Some(runs)).orphan()));
        }
        deployments.extend(orphans);
        Self { deployments }
    }

    /// Those that a deploy changes.
    pub fn work(&self) -> impl Iterator<Item = &PlannedDeployment> {
        self.deployments.iter().filter(|planned| planned.change.is_work())
    }

    /// How many are changed, and how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for planned in self.work() {
            let mut change = &planned.change;
            if let Change::Unfinished { goes_on: false, then, .. } = change {
                change = then;
            }
            match change {
                Change::Create { .. } | Change::Recreate { .. } => counts.create += 1,
                Change::Roll { .. } | Change::Unfinished { .. } => counts.roll += 1,
                Change::Adjust { .. }
                | Change::Mend { .. }
                | Change::Nothing
                | Change::Orphan { .. } => {
                    counts.change += 1;
                }
            }
        }
        counts
    }

    /// Of what is declared, what runs and what is done: a plan file with another one is not what would be done now.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Only ordered collections: equal plans have equal texts.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Why this plan, read from a file, is not what would be done now; `None` when it is.
    #[must_use]
    pub fn outdated(&self, now: &Self) -> Option<Error> {
        let fits = |then: &PlannedDeployment, now: &PlannedDeployment| {
            let of = |one: &PlannedDeployment| (one.deployment.clone(), one.place.clone());
            of(then) == of(now)
                && then.change.is_as(&now.change)
                && (then.recipe, then.world) == (now.recipe, now.world)
        };
        let pairs = self.deployments.iter().zip(&now.deployments);
        if self.deployments.len() == now.deployments.len()
            && pairs.clone().all(|(then, now)| fits(then, now))
        {
            return None;
        }
        let names = self.deployments.iter().chain(&now.deployments);
        let of = |plan: &Self, name: &str| {
            plan.deployments.iter().find(|planned| planned.deployment == name).cloned()
        };
        let moved = names.map(|planned| planned.deployment.as_str()).find_map(|name| {
            match (of(self, name), of(now, name)) {
                (Some(then), Some(now)) if fits(&then, &now) => None,
                (Some(then), Some(now)) if then.recipe != now.recipe => {
                    Some(format!("`{name}` is declared otherwise since"))
                }
                (Some(_), Some(_)) => Some(format!("what runs of `{name}` has changed since")),
                (Some(_), None) => Some(format!("there is no `{name}` any more")),
                (None, _) => Some(format!("`{name}` is new since")),
            }
        });
        let what = moved.unwrap_or_else(|| "its deployments have another order".into());
        let message = format!("the plan is not what would be done now: {what}");
        Some(Error::input(message).help("plan again, and look at what it says"))
    }
}
