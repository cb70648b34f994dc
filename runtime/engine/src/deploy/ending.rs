use super::compare::kept;
use super::turn::{Reading, Turn};
use crate::Error;
use crate::driver::HistoryEntry;
use kiln::DeploymentNode;
use std::cmp::Reverse;

impl Turn<'_> {
    /// Ends what a generation has taken the traffic for: writes it down, and removes what is not kept of those that were
    /// there when all was read, without those that are gone since.
    ///
    /// `ending` is written once, however often this is tried: what was begun at or after its own time is it.
    pub(super) async fn end(
        &self,
        node: &DeploymentNode,
        reading: &Reading,
        gone: &[u32],
        ending: &HistoryEntry,
    ) -> Result<(), Error> {
        let history = &reading.history;
        let is_it = |entry: &HistoryEntry| {
            let same = entry.generation == ending.generation && entry.action == ending.action;
            same && entry.failure.is_none() && entry.at >= ending.at
        };
        if !history.last().is_some_and(is_it) {
            let mut entry = ending.clone();
            entry.ms = self.ms();
            self.lease.record(&entry).await?;
        }
        let served = |number| {
            let of = |entry: &HistoryEntry| entry.failure.is_none() && entry.generation == number;
            history.iter().rposition(of)
        };
        let generations = reading.observed.iter().flat_map(|observed| &observed.generations);
        let mut idle: Vec<u32> = generations.map(|found| found.number).collect();
        idle.retain(|number| *number != ending.generation && !gone.contains(number));
        idle.sort_by_key(|number| Reverse((served(*number), *number)));
        // What never served is no generation to go back to; where nothing is written down of any, all may have.
        let could_serve = |number: u32| served(number).is_some() || history.is_empty();
        let mut keep = kept(node.strategy);
        for number in idle {
            if could_serve(number) && keep > 0 {
                keep -= 1;
            } else {
                self.remove(number).await?;
            }
        }
        self.lease.intend(None).await
    }

    /// Writes down what failed, as far as that can be done.
    pub(super) async fn end_badly(&self, ending: &HistoryEntry, error: &Error) {
        let mut entry = ending.clone();
        (entry.failure, entry.ms) = (Some(error.chain()), self.ms());
        if let Err(unwritten) = self.lease.record(&entry).await {
            let message = format!("the history lacks that it failed: {}", unwritten.chain());
            (self.run.events)(crate::Event::Warning { message });
        }
    }
}
