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
use crate::lock::{EntryId, LockFile};
use crate::plan::{KeyedGraph, Plan, Planned};
use crate::store::Store;
use crate::{CacheKey, Error, ErrorKind, NodeName};
use chain::Chain;
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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

impl Resolve {
    /// Whether these nodes can be built without resolving more than that.
    ///
    /// # Errors
    /// For each entry that the lock file lacks.
    pub fn allows(
        self,
        keyed: &KeyedGraph,
        nodes: impl IntoIterator<Item = NodeIndex>,
    ) -> Result<(), Vec<Error>> {
        let may = |index: NodeIndex| match self {
            Self::Nothing => false,
            Self::Packages => keyed.graph().parent(index).is_some(),
            Self::Everything => true,
        };
        let mut errors = Vec::new();
        for index in nodes {
            let missing = keyed.fields(index).err().filter(|_| !may(index)).unwrap_or_default();
            errors.extend(missing.iter().map(|id| self.not_locked(keyed, index, id)));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn not_locked(self, keyed: &KeyedGraph, index: NodeIndex, id: &EntryId) -> Error {
        let origin = keyed.definition(index).and_then(|definition| definition.origin_of(id));
        let message = match self {
            Self::Nothing => format!("kiln.lock has no entry for {id}, and `--locked` is set"),
            _ => format!("kiln.lock has no entry for {id}"),
        };
        Error::new(ErrorKind::Input, message)
            .at(origin.unwrap_or(&keyed.graph().node(index).origin))
            .help(format!(
                "run `cargo xtask update --builder {}` and commit kiln.lock",
                keyed.target().builder
            ))
    }
}

/// How many chains are built at once, by all bakes that have a clone of it.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Semaphore>);

impl Jobs {
    /// So many; at least 1.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.max(1))))
    }
}

/// How a bake is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many chains are built at once.
    pub jobs: Jobs,
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
        self.options.resolve.allows(self.keyed, plan.nodes.keys().copied())?;
        let state = State { permits: &self.options.jobs.0, plan, outcomes: Mutex::default() };
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
}

/// What the chains of one bake share.
struct State<'a> {
    permits: &'a Semaphore,
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
