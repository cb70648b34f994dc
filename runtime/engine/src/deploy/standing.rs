use super::reason::Begun;
use crate::driver::{Generation, HistoryEntry, Intent, Observed};
use kiln::DeploymentNode;

/// What each generation of a deployment is, as far as traffic, history and intent tell.
pub(super) struct Standing<'a> {
    observed: Option<&'a Observed>,
    history: &'a [HistoryEntry],
    /// The one that serves, or that served last and has lost its traffic.
    pub(super) current: Option<&'a Generation>,
    /// The one with which something was begun that has not ended.
    pub(super) unfinished: Option<Unfinished<'a>>,
    /// The number of the next one.
    pub(super) next: u32,
}

/// A generation with which a deploy or rollback was begun that has not ended.
pub(super) struct Unfinished<'a> {
    pub(super) generation: &'a Generation,
    pub(super) intent: Option<&'a Intent>,
    /// Whether it has the traffic for itself: all that is missing is to write that down.
    pub(super) switched: bool,
}

impl Unfinished<'_> {
    pub(super) fn begun(&self) -> Option<Begun> {
        self.intent.map(Begun::of)
    }
}

impl<'a> Standing<'a> {
    /// `is_declared` says whether a generation is just what is declared: of several that have traffic it is the new one
    /// where nothing else tells.
    pub(super) fn of(
        observed: Option<&'a Observed>,
        history: &'a [HistoryEntry],
        intent: Option<&'a Intent>,
        is_declared: &dyn Fn(&Generation) -> bool,
    ) -> Self {
        let generations = observed.map_or(&[][..], |observed| &observed.generations);
        let numbers = generations.iter().map(|generation| generation.number);
        let numbers = numbers
            .chain(history.iter().map(|entry| entry.generation))
            .chain(intent.map(|intent| intent.generation));
        let next = numbers.max().unwrap_or(0) + 1;
        let mut standing = Self { observed, history, current: None, unfinished: None, next };
        standing.unfinished = standing.find_unfinished(intent, is_declared);
        let unfinished = standing.unfinished.as_ref();
        standing.current = match unfinished {
            Some(unfinished) if unfinished.switched => Some(unfinished.generation),
            _ => {
                let apart = unfinished.map(|unfinished| unfinished.generation.number);
                standing.serving(apart)
            }
        };
        standing
    }

    /// Those that have traffic.
    pub(super) fn attached(&self) -> impl Iterator<Item = &'a Generation> + use<'a> {
        let generations = self.observed.map_or(&[][..], |observed| &observed.generations);
        generations.iter().filter(|generation| generation.attached)
    }

    /// The generation of this number.
    pub(super) fn generation(&self, number: u32) -> Option<&'a Generation> {
        let mut generations = self.observed?.generations.iter();
        generations.find(|generation| generation.number == number)
    }

    /// What the generation that serves was declared with.
    pub(super) fn served(&self) -> Option<&'a DeploymentNode> {
        Some(&self.entry(self.current?.number)?.deployment)
    }

    /// What the history says of the last time that a generation was deployed, rolled back to or adjusted.
    pub(super) fn entry(&self, number: u32) -> Option<&'a HistoryEntry> {
        succeeded(self.history).rfind(|entry| entry.generation == number)
    }

    /// The generation that served last by the history; `None` where none has, or all was destroyed.
    pub(super) fn last_served(&self) -> Option<&'a HistoryEntry> {
        succeeded(self.history).next_back().filter(|entry| entry.action != "destroy")
    }

    /// Those that have no traffic and could take it again: who served last comes first.
    pub(super) fn warm(&self) -> Vec<&'a Generation> {
        let generations = self.observed.map_or(&[][..], |observed| &observed.generations);
        let apart = [self.current, self.unfinished.as_ref().map(|found| found.generation)];
        let is_apart = |number| apart.iter().flatten().any(|other| other.number == number);
        let idle = |generation: &&Generation| !generation.attached && !is_apart(generation.number);
        let mut warm: Vec<&Generation> = generations.iter().filter(idle).collect();
        let served = |number| {
            let of = |entry: &HistoryEntry| entry.failure.is_none() && entry.generation == number;
            self.history.iter().rposition(of)
        };
        warm.sort_by_key(|generation| {
            std::cmp::Reverse((served(generation.number), generation.number))
        });
        warm
    }

    fn serving(&self, apart: Option<u32>) -> Option<&'a Generation> {
        let mut attached: Vec<&Generation> =
            self.attached().filter(|generation| Some(generation.number) != apart).collect();
        attached.sort_by_key(|generation| generation.number);
        let last = self.last_served().map(|entry| entry.generation);
        let lost = || match last {
            Some(last) if Some(last) != apart => self.generation(last),
            Some(_) => None,
            // Nothing is written down of any: the newest is as good a guess as there is.
            None if apart.is_none() && self.history.is_empty() => {
                self.observed?.generations.iter().max_by_key(|generation| generation.number)
            }
            None => None,
        };
        attached.pop().or_else(lost)
    }

    fn find_unfinished(
        &self,
        intent: Option<&'a Intent>,
        is_declared: &dyn Fn(&Generation) -> bool,
    ) -> Option<Unfinished<'a>> {
        let mut attached: Vec<&Generation> = self.attached().collect();
        attached.sort_by_key(|generation| generation.number);
        if let Some(intent) = intent {
            let generation = self.generation(intent.generation)?;
            let alone = generation.attached && attached.len() == 1;
            // A first generation is alone from the moment it has traffic, healthy or not.
            let switched = alone && !intent.from.is_empty();
            return Some(Unfinished { generation, intent: Some(intent), switched });
        }
        let known = |generation: &&&Generation| self.entry(generation.number).is_none();
        if attached.len() > 1 {
            let new = attached.iter().rev().find(known);
            let declared = || attached.iter().rev().find(|generation| is_declared(generation));
            let generation = new.or_else(declared).or(attached.last())?;
            return Some(Unfinished { generation, intent: None, switched: false });
        }
        let above = attached.last().map_or(0, |generation| generation.number);
        let half_made = |generation: &&Generation| {
            !generation.attached
                && generation.number > above
                && self.entry(generation.number).is_none()
                && !(attached.is_empty() && self.history.is_empty())
        };
        let generations = &self.observed?.generations;
        let generation = generations.iter().filter(half_made).max_by_key(|found| found.number)?;
        Some(Unfinished { generation, intent: None, switched: false })
    }
}

/// What ended well, oldest first.
fn succeeded(history: &[HistoryEntry]) -> impl DoubleEndedIterator<Item = &HistoryEntry> {
    history.iter().filter(|entry| entry.failure.is_none())
}
