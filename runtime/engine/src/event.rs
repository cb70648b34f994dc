use kiln::Origin;
use serde::{Deserialize, Serialize};

/// What happens during a bake, as it happens. One event is one line of `--format json`; names and
/// fields are a contract, versioned by [`Event::VERSION`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event.
    Started {
        /// Of the format of events.
        version: u32,
        /// How many layers and bases are looked at.
        nodes: usize,
    },
    /// A node was found in the store.
    Cached {
        /// Which.
        #[serde(flatten)]
        node: NodeName,
        /// Its cache key.
        key: String,
    },
    /// A node is being built.
    Building {
        /// Which.
        #[serde(flatten)]
        node: NodeName,
        /// Why it is not taken from the store.
        why: String,
        /// How many steps it has.
        steps: usize,
    },
    /// A step of a layer begins.
    Step {
        /// Of which layer.
        #[serde(flatten)]
        node: NodeName,
        /// Its position in the layer, from 1.
        index: usize,
        /// In words.
        title: String,
        /// Where it was written.
        origin: Origin,
    },
    /// Something that a step printed.
    Output {
        /// Of which layer.
        #[serde(flatten)]
        node: NodeName,
        /// One line, without its end.
        line: String,
    },
    /// A node was built.
    Built {
        /// Which.
        #[serde(flatten)]
        node: NodeName,
        /// Its cache key.
        key: String,
        /// Milliseconds.
        ms: u64,
    },
    /// A node failed.
    Failed {
        /// Which.
        #[serde(flatten)]
        node: NodeName,
        /// What and why.
        message: String,
        /// Where in the recipe.
        origin: Option<Origin>,
        /// What to do.
        help: Option<String>,
        /// What the failing command printed.
        output: Vec<String>,
    },
    /// A node was not built because what it stands on failed.
    Skipped {
        /// Which.
        #[serde(flatten)]
        node: NodeName,
    },
    /// An image is complete.
    Image {
        /// Its name.
        image: String,
        /// The driver's name for it.
        artifact: String,
        /// The digest of its root, where the driver gives one.
        digest: Option<String>,
    },
    /// All was done that was to be done at one of several places.
    Baked {
        /// Nodes built.
        built: usize,
        /// Nodes taken from the store.
        cached: usize,
        /// Nodes that failed.
        failed: usize,
    },
    /// A test of an image ended.
    Test {
        /// Of which image.
        image: String,
        /// Its name.
        test: String,
        /// Where it was written.
        origin: Origin,
        /// Milliseconds.
        ms: u64,
        /// Why it failed; absent when it passed.
        failure: Option<String>,
        /// What it printed when it failed.
        output: Vec<String>,
    },
    /// Something happens to a deployment.
    Deploy {
        /// To which.
        deployment: String,
        /// To which of its generations; `None`: to none of them, or to all.
        generation: Option<u32>,
        /// What.
        #[serde(flatten)]
        phase: DeployPhase,
    },
    /// How a deployment can be reached.
    Outputs {
        /// Which.
        deployment: String,
        /// Addresses, DNS names and ids, by name.
        outputs: std::collections::BTreeMap<String, String>,
    },
    /// Something that does not stop the bake.
    Warning {
        /// In words.
        message: String,
    },
    /// A mistake that kept the command from starting, or that ended all at one of several places: one event for each.
    Error {
        /// What and why.
        message: String,
        /// Where in the recipe.
        origin: Option<Origin>,
        /// What to do.
        help: Option<String>,
    },
    /// The last event.
    Summary {
        /// Nodes built.
        built: usize,
        /// Nodes taken from the store.
        cached: usize,
        /// Nodes and tests that failed.
        failed: usize,
        /// Deployments changed.
        deployed: usize,
        /// Milliseconds.
        ms: u64,
    },
}

impl Event {
    /// Of the format of events. It changes when a field or an event changes its meaning or goes.
    pub const VERSION: u32 = 1;
}

/// How far a deployment is. What it begins lasts until the next one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum DeployPhase {
    /// Somebody else changes it: it waits for them.
    Waiting,
    /// What a run that died has begun is gone on with, or undone.
    Recovering {
        /// Who began it.
        who: String,
    },
    /// What stands before the servers is made, or made as declared.
    Preparing,
    /// A generation is made, or one that is kept comes back.
    Launching {
        /// For what reasons, in words.
        why: Vec<String>,
    },
    /// Its servers start.
    Starting,
    /// Traffic is about to reach it.
    Attaching,
    /// Its servers have traffic, and are asked for their health.
    Checking,
    /// They are healthy, and must stay so for a while.
    Soaking {
        /// Milliseconds.
        ms: u64,
    },
    /// It loses the traffic: open requests end.
    Draining,
    /// It gets this many servers.
    Resizing {
        /// How many.
        to: u32,
    },
    /// It is removed.
    Removing,
    /// The attempt has failed, and is undone.
    Undoing {
        /// Why.
        why: String,
    },
    /// Within a phase: so many of its servers are healthy.
    Health {
        /// Healthy.
        healthy: u32,
        /// Of so many.
        of: u32,
    },
    /// Within a phase: what the driver says.
    Output {
        /// One line, without its end.
        line: String,
    },
    /// It is as declared now.
    Done {
        /// `deploy`, `rollback`, `adjust`, `mend`, `destroy`.
        action: String,
        /// Milliseconds.
        ms: u64,
    },
    /// It failed.
    Failed {
        /// What and why.
        message: String,
        /// Where in the recipe.
        origin: Option<Origin>,
        /// What to do.
        help: Option<String>,
        /// What an unhealthy server has printed on its console.
        output: Vec<String>,
    },
}

/// A layer or a base, in the words of the recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeName {
    /// The image.
    pub image: String,
    /// The layer; `base` for what the image starts from, `image` for the image itself where that is an
    /// artifact of its own.
    pub layer: String,
}

impl NodeName {
    /// The layer's name of an image that is an artifact of its own.
    pub const IMAGE: &str = "image";
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.image, self.layer)
    }
}

/// Receives events. Called from several threads.
pub type Events<'a> = &'a (dyn Fn(Event) + Send + Sync);
