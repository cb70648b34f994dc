use super::Bake;
use super::log::Log;
use crate::Error;
use crate::driver::{Action, ActionFailed, Progress, Session};
use crate::event::Event;
use crate::key::Definition;
use crate::lock::{Locked, LockedFile};
use petgraph::graph::NodeIndex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The steps of a layer while they run.
pub(super) struct Steps<'a> {
    bake: &'a Bake<'a>,
    index: NodeIndex,
    definition: &'a Definition,
    log: &'a Log<'a>,
    /// How many steps have begun.
    begun: AtomicUsize,
}

/// An error, and the position of the step that it is about.
pub(super) type Failed = (usize, Error);

/// The actions that are run next in one batch, each with the position of its step.
#[derive(Default)]
struct Batch {
    actions: Vec<Action>,
    steps: Vec<usize>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        bake: &'a Bake<'a>,
        index: NodeIndex,
        definition: &'a Definition,
        log: &'a Log<'a>,
    ) -> Self {
        Self { bake, index, definition, log, begun: AtomicUsize::new(0) }
    }

    /// Runs them in one batch, but for what must be resolved first.
    pub(super) async fn run(&self, session: &mut dyn Session) -> Result<(), Failed> {
        let mut batch = Batch::default();
        for (position, step) in self.definition.steps.iter().enumerate() {
            for prepared in &step.actions {
                let mut action = prepared.action.clone();
                if let (Action::Exec(exec), Some((id, script))) = (&mut action, &prepared.wants) {
                    let lock = self.bake.lock;
                    if lock.get(id).is_none() {
                        // What it asks may depend on everything before it.
                        self.run_batch(session, std::mem::take(&mut batch)).await?;
                        self.begin(position);
                        let failed = |error| (position, error);
                        let output = |line: &str| self.log.line(line);
                        let printed = session.resolve(script, exec.limits, &output).await;
                        let files: Result<Vec<LockedFile>, Error> =
                            printed.map_err(failed)?.lines().map(str::parse).collect();
                        lock.insert(id.clone(), Locked::Files(files.map_err(failed)?));
                    }
                    exec.files = lock.get(id).map(|locked| locked.files().to_vec());
                }
                batch.actions.push(action);
                batch.steps.push(position);
            }
        }
        self.run_batch(session, batch).await?;
        self.begin(self.definition.steps.len().saturating_sub(1));
        Ok(())
    }

    async fn run_batch(&self, session: &mut dyn Session, batch: Batch) -> Result<(), Failed> {
        if batch.actions.is_empty() {
            return Ok(());
        }
        let progress = BatchProgress { steps: self, batch: &batch };
        session.run(&batch.actions, &progress).await.map_err(|ActionFailed { action, error }| {
            (batch.steps.get(action).copied().unwrap_or_default(), error)
        })
    }

    /// Says that a step begins, and those before it that were not announced.
    fn begin(&self, position: usize) {
        let begun = self.begun.fetch_max(position + 1, Ordering::Relaxed);
        for (position, step) in self.definition.steps.iter().enumerate().skip(begun) {
            if position >= self.begun.load(Ordering::Relaxed) {
                break;
            }
            (self.bake.events)(Event::Step {
                node: self.bake.name(self.index).clone(),
                index: position + 1,
                title: step.title.clone(),
                origin: step.origin.clone(),
            });
        }
    }

    /// The position of the step that began last.
    pub(super) fn last_begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed).saturating_sub(1)
    }
}

/// Passes on how a batch goes.
struct BatchProgress<'a> {
    steps: &'a Steps<'a>,
    batch: &'a Batch,
}

impl Progress for BatchProgress<'_> {
    fn started(&self, action: usize) {
        if let Some(position) = self.batch.steps.get(action) {
            self.steps.begin(*position);
        }
    }

    fn line(&self, _action: usize, line: &str) {
        self.steps.log.line(line);
    }
}
