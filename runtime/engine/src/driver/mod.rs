//! What the engine asks of a driver, and what it hands to it.
//!
//! A [`Builder`] turns actions into artifacts. It knows nothing of recipes, keys' contents or plans; the
//! engine knows nothing of overlays, snapshots or containers.

mod action;
mod artifact;
mod builder;
mod deployer;
mod garbage;
mod index;
mod publish;
mod session;
mod state;

pub use action::{Action, Content, ExecAction, Program, PutAction};
pub use artifact::Artifact;
pub use builder::{BaseInput, Builder, Output, Settings};
pub use deployer::{
    Belonging, Capacity, Declared, Deployer, Generation, Judge, Launch, Observed, Server,
    ServerHealth, Traits, Waited,
};
pub use garbage::{Collector, Fate, Found, Wanted};
pub use index::ArtifactIndex;
pub use publish::{Publish, Published, TestOutcome, TestPlan};
pub use session::{ActionFailed, Label, Progress, Session};
pub use state::{HistoryEntry, Holder, Intent, Lease, NotYours, State};
