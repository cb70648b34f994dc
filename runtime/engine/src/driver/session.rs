use super::{Action, Artifact, Output, Publish, Published};
use crate::{CacheKey, Error, NodeName};
use async_trait::async_trait;
use kiln::Limits;

/// One writable machine on top of an artifact.
#[async_trait]
pub trait Session: Send {
    /// Runs a resolving script (see [`kiln::Resolve`]) in a throw-away copy of the session, with
    /// network, and returns its standard output.
    ///
    /// # Errors
    /// When the script fails; its output is in the error.
    async fn resolve(
        &mut self,
        script: &str,
        limits: Limits,
        output: Output<'_>,
    ) -> Result<String, Error>;

    /// Executes actions in their order, up to the first that fails. One batch: a driver over a network
    /// makes few round trips.
    ///
    /// # Errors
    /// When one fails, is out of time or memory, or an input is not what was planned.
    async fn run(
        &mut self,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed>;

    /// Makes an artifact of the session as it is now and keeps it under `key`. The session goes on, on
    /// top of it.
    ///
    /// # Errors
    /// When it cannot be stored.
    async fn checkpoint(&mut self, key: CacheKey, label: &Label) -> Result<Artifact, Error>;

    /// Makes of the session the image that is deployed, tests it, and keeps it under `key` if no test
    /// fails. Called only on a driver whose images are artifacts of their own.
    ///
    /// # Errors
    /// When it cannot be made. A test that fails is an outcome.
    async fn publish(
        self: Box<Self>,
        key: CacheKey,
        image: &Publish,
        output: Output<'_>,
    ) -> Result<Published, Error>;

    /// Opens a shell in the session for a person at the terminal; returns when they leave.
    ///
    /// # Errors
    /// When no shell can be started.
    async fn shell(&mut self) -> Result<(), Error>;

    /// Leaves the session as it is for a person to look at; returns how to enter it, in words.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn keep(self: Box<Self>) -> Result<String, Error>;

    /// Ends the session and removes what it holds. Dropping it does the same, without saying when.
    ///
    /// # Errors
    /// When something could not be removed; the next run tries again.
    async fn close(self: Box<Self>) -> Result<(), Error>;
}

/// Receives how a batch of actions goes. An action is named by its position in the batch.
pub trait Progress: Send + Sync {
    /// An action begins.
    fn started(&self, action: usize);

    /// An action's command printed a line.
    fn line(&self, action: usize, line: &str);
}

/// An action of a batch failed; those after it were not begun.
#[derive(Debug)]
pub struct ActionFailed {
    /// Its position in the batch.
    pub action: usize,
    /// Why.
    pub error: Error,
}

/// What an artifact is, for those who find it later.
#[derive(Debug, Clone)]
pub struct Label {
    /// What it was built from.
    pub node: NodeName,
    /// The key of what it stands on.
    pub parent: Option<CacheKey>,
    /// Whether the session is used up by [`Session::publish`] next: the driver may make of this very artifact
    /// what the image is made of. `false` for an image itself.
    pub image_follows: bool,
}
