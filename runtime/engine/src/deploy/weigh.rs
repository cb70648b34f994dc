use super::compare::{Comparison, compare, is_declared, is_intended, kept};
use super::goal::Goal;
use super::standing::Standing;
use super::{Begun, Change, Desired, PlannedDeployment, Reason, fingerprint};
use crate::driver::{Deployer, HistoryEntry, Intent, Observed, Traits};

/// Everything that is known of one deployment.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) place: &'a str,
    pub(super) deployer: &'a dyn Deployer,
    pub(super) observed: Option<&'a Observed>,
    pub(super) history: &'a [HistoryEntry],
    pub(super) intent: Option<&'a Intent>,
}

impl<'a> Known<'a> {
    /// What each generation is, seen from what is declared.
    pub(super) fn standing(self, goal: &Goal<'_>) -> Standing<'a> {
        let declared = |generation: &_| is_declared(goal, generation);
        Standing::of(self.observed, self.history, self.intent, &declared)
    }

    /// What a deploy does to a deployment that is declared.
    pub(super) fn plan(self, desired: &Desired) -> PlannedDeployment {
        let goal = Goal::declared(self.deployer, desired);
        let (change, reasons) = self.change(&goal);
        PlannedDeployment {
            deployment: goal.node.name.clone(),
            place: self.place.to_owned(),
            change,
            reasons,
            recipe: fingerprint::recipe(&goal),
            world: fingerprint::world(self.observed),
        }
    }

    fn change(self, goal: &Goal<'_>) -> (Change, Vec<Reason>) {
        let standing = self.standing(goal);
        let (generation, begun, declared, switched) = match (&standing.unfinished, self.intent) {
            (Some(unfinished), _) => {
                let declared = is_declared(goal, unfinished.generation);
                let number = unfinished.generation.number;
                (number, unfinished.begun(), declared, unfinished.switched)
            }
            // Nothing can be seen of what was begun; parts of it may be there.
            (None, Some(intent)) => {
                let declared = is_intended(goal, intent, self.history);
                (intent.generation, Some(Begun::of(intent)), declared, false)
            }
            (None, None) => return self.settled(goal, &standing),
        };
        let mut reasons = vec![Reason::Unfinished { generation, begun }];
        let goes_on = declared || switched;
        let then = if declared {
            Change::Nothing
        } else {
            let (then, why) = self.settled(goal, &standing);
            reasons.extend(why);
            then
        };
        (Change::Unfinished { generation, goes_on, then: Box::new(then) }, reasons)
    }

    /// What is done when nothing is unfinished, or when that has ended.
    fn settled(self, goal: &Goal<'_>, standing: &Standing<'_>) -> (Change, Vec<Reason>) {
        let to = standing.next;
        let Some(current) = standing.current else {
            return match standing.last_served() {
                None => (Change::Create { to }, vec![Reason::New]),
                Some(HistoryEntry { generation, .. }) => {
                    let reason = Reason::Vanished { generation: *generation };
                    (Change::Recreate { to }, vec![reason])
                }
            };
        };
        let none = Traits::new();
        let front = self.observed.map_or(&none, |observed| &observed.front);
        let entry = standing.entry(current.number);
        let Comparison { mut rolls, mut adjusts, ill } =
            compare(self.deployer, goal, current, front, entry);
        let surplus = standing.warm().into_iter().skip(kept(goal.node.strategy));
        adjusts.extend(surplus.map(|found| Reason::Surplus { generation: found.number }));
        let change = if !rolls.is_empty() {
            let from: Vec<u32> = standing.attached().map(|generation| generation.number).collect();
            Change::Roll { from, to }
        } else if !adjusts.is_empty() {
            Change::Adjust { generation: current.number }
        } else if !ill.is_empty() {
            Change::Mend { generation: current.number }
        } else {
            Change::Nothing
        };
        rolls.extend(adjusts);
        rolls.extend(ill);
        (change, rolls)
    }

    /// What is said of a deployment that runs and is not declared; `None` where nothing of it runs.
    pub(super) fn orphan(self) -> Option<PlannedDeployment> {
        let observed = self.observed?;
        if observed.generations.is_empty() && observed.front.is_empty() {
            return None;
        }
        let generations = observed.generations.iter().map(|generation| generation.number);
        Some(PlannedDeployment {
            deployment: observed.deployment.clone(),
            place: self.place.to_owned(),
            change: Change::Orphan { generations: generations.collect() },
            reasons: vec![Reason::NotDeclared],
            recipe: crate::Digest::of(&[]),
            world: fingerprint::world(self.observed),
        })
    }
}
