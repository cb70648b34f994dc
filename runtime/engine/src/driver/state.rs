use crate::Error;
use crate::driver::Capacity;
use crate::plan::ImageRecord;
use async_trait::async_trait;
use kiln::DeploymentNode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What stands beside what runs: who changes a deployment now, what was about to be done, and what was done.
/// Shared by all who deploy; the truth is what runs.
#[async_trait]
pub trait State: Send + Sync {
    /// Takes the right to change a deployment for `time`, which is prolonged as long as the process lives. Waits up to
    /// `patience` for whoever has it.
    ///
    /// # Errors
    /// [`NotYours::Held`] with the holder when they keep it; else when the state cannot be read or written.
    async fn lease(
        &self,
        deployment: &str,
        holder: &Holder,
        patience: Duration,
    ) -> Result<Box<dyn Lease>, NotYours>;

    /// What was deployed, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn history(&self, deployment: &str) -> Result<Vec<HistoryEntry>, Error>;

    /// What the image of this key was made of, as far as anybody has kept that: it only makes reasons better.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn image(&self, key: &str) -> Result<Option<ImageRecord>, Error>;

    /// What was begun and has not ended, by deployment: one listing, whatever the number of deployments. Of those
    /// whose lease is held it may be about to end.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn intents(&self) -> Result<BTreeMap<String, Intent>, Error>;
}

/// The right to change a deployment, until it is given back. Dropping it gives it back later, when its time is over.
#[async_trait]
pub trait Lease: Send + Sync {
    /// What somebody was about to do and has not ended.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn intent(&self) -> Result<Option<Intent>, Error>;

    /// Writes down what is about to be done, before it is done; `None`: it has ended, or is undone.
    ///
    /// # Errors
    /// When it cannot be written, or the lease was lost: then nothing may be done.
    async fn intend(&self, intent: Option<&Intent>) -> Result<(), Error>;

    /// Adds to the history.
    ///
    /// # Errors
    /// When it cannot be written, or the lease was lost.
    async fn record(&self, entry: &HistoryEntry) -> Result<(), Error>;

    /// Keeps what the image of this key is made of, unless it is there.
    ///
    /// # Errors
    /// When it cannot be written, or the lease was lost.
    async fn keep(&self, key: &str, image: &ImageRecord) -> Result<(), Error>;

    /// Fails once the lease was lost: its time was over, and somebody else has it.
    ///
    /// # Errors
    /// Who has it.
    fn check(&self) -> Result<(), Error>;

    /// Returns when the lease was lost: what is under way then is not gone on with.
    async fn lost(&self);

    /// Gives it back.
    ///
    /// # Errors
    /// When that cannot be written; it ends by itself then.
    async fn release(self: Box<Self>) -> Result<(), Error>;
}

/// Why a lease was not given.
#[derive(Debug)]
pub enum NotYours {
    /// Somebody has it.
    Held {
        /// Who.
        holder: Holder,
        /// Until when at least, in seconds since 1970.
        until: u64,
    },
    /// The state cannot be read or written.
    Failed(Error),
}

/// Who changes a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host`, or what names them better: the address of a run in CI.
    pub who: String,
    /// One process of theirs: unique.
    pub run: String,
    /// What they do, as they wrote it: `deploy production`.
    pub command: String,
}

/// What is about to be done to a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The generation that is to take the traffic.
    pub generation: u32,
    /// Those that have it now.
    pub from: Vec<u32>,
    /// What it starts from.
    pub image: String,
    /// How many servers it is to have.
    pub capacity: Capacity,
    /// Who began it.
    pub holder: Holder,
    /// Seconds since 1970.
    pub at: u64,
    /// What the history says when it ends well: also when somebody else has to end it.
    pub ending: HistoryEntry,
}

/// One deploy, rollback or adjustment that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The generation.
    pub generation: u32,
    /// What was done: `deploy`, `rollback`, `adjust`, `destroy`.
    pub action: String,
    /// Why, in words.
    pub why: String,
    /// How it ended; `None`: well.
    pub failure: Option<String>,
    /// What its servers start from.
    pub image: String,
    /// The key of the image, as hex.
    pub image_key: String,
    /// What was declared: enough to make the generation again.
    pub deployment: DeploymentNode,
    /// What its servers start with, to say later what changed.
    pub launch: BTreeMap<String, String>,
    /// Of each layer of the image its key, to name later the layer that changed.
    pub layers: BTreeMap<String, String>,
    /// Who.
    pub who: String,
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// Milliseconds that it took.
    pub ms: u64,
}
