use super::{Action, Artifact};
use crate::lock::LockedFile;
use crate::{CacheKey, Error};
use async_trait::async_trait;
use kiln::{BaseNode, Limits, Test};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Receives what a command prints, one line a call, as it is printed.
pub type Output<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where a driver keeps its artifacts: all that a plan needs of it.
#[async_trait]
pub trait ArtifactIndex: Send + Sync {
    /// Name and version of the artifacts that the driver makes. Part of every key: a driver that makes
    /// its artifacts differently changes it.
    fn format(&self) -> &'static str;

    /// Whether its artifacts have an output digest. If so, a key covers the output of what the layer
    /// stands on, and a layer rebuilt to the same output leaves what stands on it cached; if not, a key
    /// covers the parent's key.
    fn gives_outputs(&self) -> bool;

    /// The artifacts of these keys, in their order. One batch: a driver over a network makes one call.
    ///
    /// An artifact that is damaged is not returned.
    ///
    /// # Errors
    /// When the place where artifacts are kept cannot be read at all.
    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error>;
}

/// A driver that turns layers into artifacts.
#[async_trait]
pub trait Builder: ArtifactIndex {
    /// Finds out what a base that comes from outside consists of today: its lock entry.
    ///
    /// # Errors
    /// When the outside cannot be reached or does not have it.
    async fn resolve_base(
        &self,
        base: &BaseInput,
        output: Output<'_>,
    ) -> Result<Vec<LockedFile>, Error>;

    /// Makes a base of exactly what was locked, and keeps it under `key`. `locked` is empty for a base
    /// that names its content itself (an archive with a digest, an OCI layout, nothing).
    ///
    /// # Errors
    /// When it cannot be fetched, or is not what was locked.
    async fn make_base(
        &self,
        key: CacheKey,
        base: &BaseInput,
        locked: &[LockedFile],
        output: Output<'_>,
    ) -> Result<Artifact, Error>;

    /// Opens a writable machine on top of an artifact.
    ///
    /// # Errors
    /// When the artifact is damaged or the machine cannot be made.
    async fn open(&self, on: &Artifact) -> Result<Box<dyn Session>, Error>;

    /// Runs an image's tests in a throw-away machine made of an artifact.
    ///
    /// # Errors
    /// When the machine cannot be made or does not start. A test that fails is an outcome.
    async fn test(
        &self,
        on: &Artifact,
        plan: &TestPlan,
        output: Output<'_>,
    ) -> Result<Vec<TestOutcome>, Error>;
}

/// A base and where its inputs lie.
#[derive(Debug, Clone)]
pub struct BaseInput {
    /// What the recipe says. Never [`BaseNode::Image`].
    pub node: BaseNode,
    /// The directory that its paths are relative to.
    pub root: PathBuf,
    /// The digest of the manifest that an OCI layout's tag names today (`sha256:…`); verified by the
    /// driver against what it reads.
    pub manifest: Option<String>,
}

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

    /// Executes one action.
    ///
    /// # Errors
    /// When it fails, is out of time or memory, or an input is not what was planned.
    async fn run(&mut self, action: &Action, output: Output<'_>) -> Result<(), Error>;

    /// Makes an artifact of the session as it is now and keeps it under `key`. The session goes on, on
    /// top of it.
    ///
    /// # Errors
    /// When it cannot be stored.
    async fn checkpoint(&mut self, key: CacheKey) -> Result<Artifact, Error>;

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

/// What [`Builder::test`] runs.
#[derive(Debug, Clone)]
pub struct TestPlan {
    /// What starts the image; empty: its init system, where it has one.
    pub start: Vec<String>,
    /// The image's environment.
    pub env: BTreeMap<String, String>,
    /// In order.
    pub tests: Vec<Test>,
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// How long it took until it passed or was given up.
    pub time: Duration,
    /// `None`: passed. Else why not, in one line.
    pub failure: Option<String>,
    /// What the last try printed or received, and the end of the started services' log.
    pub output: Vec<String>,
}
