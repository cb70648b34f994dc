//! Executes a plan: chains of layers side by side, each in one session as far as it goes.

mod batch;
mod chain;
mod log;
mod outcome;
mod publish;
mod steps;

pub use outcome::{NodeOutcome, Outcome};

use crate::driver::{Artifact, Builder};
use crate::event::{Event, Events};
use crate::lock::LockFile;
use crate::plan::{KeyedGraph, Plan, Planned};
use crate::store::Store;
use crate::{CacheKey, Error, ErrorKind, NodeName};
use chain::Chain;
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// What happens to the session of a step that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It is removed.
    #[default]
    Cleanup,
    /// It stays, and the error says how to enter it.
    Keep,
    /// A shell is opened in it; then it is removed.
    Shell,
}

/// What a bake may resolve when the lock file lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    /// Nothing, as `--locked` says.
    Nothing,
    /// What steps ask for. Bases are somebody else's, and are taken only when a person asks for it.
    Packages,
    /// Bases too.
    Everything,
}

/// How a bake is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many chains are built at once; at least 1.
    pub jobs: usize,
    /// What happens to the session of a step that fails.
    pub on_error: OnError,
    /// What may be resolved.
    pub resolve: Resolve,
    /// Turns true when the user asks to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// Everything that a bake works with.
pub struct Bake<'a> {
    /// What is built.
    pub keyed: &'a KeyedGraph,
    /// By whom.
    pub builder: &'a dyn Builder,
    /// Where records and leases are.
    pub store: &'a Store,
    /// What is locked; entries are added as they are resolved.
    pub lock: &'a LockFile,
    /// What names of nodes are relative to in the store: the directory of the recipes.
    pub project: &'a Path,
    /// Where events go.
    pub events: Events<'a>,
    /// How.
    pub options: &'a Options,
}

impl Bake<'_> {
    /// Builds what the plan says. A node that fails stops what stands on it, nothing else; what was
    /// built before it stays.
    ///
    /// # Errors
    /// The lock file lacks something that may not be resolved: each of these, and nothing is built. A failed
    /// node is an outcome, not an error.
    pub async fn run(&self, plan: &Plan) -> Result<Outcome, Vec<Error>> {
        let mut missing = plan.unlocked(self.keyed);
        missing.retain(|(index, _)| match self.options.resolve {
            Resolve::Nothing => true,
            Resolve::Packages => self.keyed.graph().parent(*index).is_none(),
            Resolve::Everything => false,
        });
        if !missing.is_empty() {
            return Err(missing.iter().map(|(index, id)| self.not_locked(*index, id)).collect());
        }
        let state = State {
            permits: Semaphore::new(self.options.jobs.max(1)),
            plan,
            outcomes: Mutex::default(),
        };
        for (&index, planned) in &plan.nodes {
            if let Planned::Cached { key, artifact } = planned {
                self.cached(&state, index, *key, artifact);
            }
        }
        let roots = plan.nodes.iter().filter(|(index, planned)| {
            let parent =
                self.keyed.graph().parent(**index).and_then(|parent| plan.nodes.get(&parent));
            planned.artifact().is_none() && parent.is_none_or(|parent| parent.artifact().is_some())
        });
        let chains = roots.map(|(&index, _)| {
            let parent =
                self.keyed.graph().parent(index).and_then(|parent| plan.nodes.get(&parent));
            let below = parent.and_then(|parent| match parent {
                Planned::Cached { key, artifact } => Some((*key, artifact.clone())),
                Planned::Build { .. } => None,
            });
            Chain { bake: self, state: &state }.build(index, below, None)
        });
        join_all(chains.collect()).await;
        let outcomes = state.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Outcome { nodes: outcomes })
    }

    fn cached(&self, state: &State<'_>, index: NodeIndex, key: CacheKey, artifact: &Artifact) {
        (self.events)(Event::Cached { node: self.name(index).clone(), key: key.to_string() });
        state.set(index, NodeOutcome::Cached { key, artifact: artifact.clone() });
    }

    fn name(&self, index: NodeIndex) -> &NodeName {
        &self.keyed.graph().node(index).name
    }

    fn not_locked(&self, index: NodeIndex, id: &crate::lock::EntryId) -> Error {
        let origin = self.keyed.definition(index).and_then(|definition| definition.origin_of(id));
        let message = match self.options.resolve {
            Resolve::Nothing => format!("kiln.lock has no entry for {id}, and `--locked` is set"),
            _ => format!("kiln.lock has no entry for {id}"),
        };
        Error::new(ErrorKind::Input, message)
            .at(origin.unwrap_or(&self.keyed.graph().node(index).origin))
            .help("run `cargo xtask update` and commit kiln.lock")
    }
}

/// What the chains of one bake share.
struct State<'a> {
    permits: Semaphore,
    plan: &'a Plan,
    outcomes: Mutex<BTreeMap<NodeIndex, NodeOutcome>>,
}

impl State<'_> {
    fn set(&self, index: NodeIndex, outcome: NodeOutcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(index, outcome);
    }
}

/// Drives chains side by side to their end, each on a thread of its own: a driver may block in one without
/// keeping the others from going on. Wants a tokio runtime of several threads.
async fn join_all<F: Future<Output = ()> + Send>(chains: Vec<F>) {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for chain in chains {
                scope.spawn(|| runtime.block_on(chain));
            }
        });
    });
}
