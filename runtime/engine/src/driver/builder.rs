use super::{Artifact, ArtifactIndex, Session, TestOutcome, TestPlan};
use crate::lock::Locked;
use crate::{CacheKey, Error, NodeName};
use async_trait::async_trait;
use kiln::{BaseNode, BuilderNode, Origin};
use std::path::PathBuf;

/// Receives what a command prints, one line a call, as it is printed.
pub type Output<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A driver that turns layers into artifacts.
#[async_trait]
pub trait Builder: ArtifactIndex {
    /// Finds out what a base that comes from outside consists of today: its lock entry.
    ///
    /// # Errors
    /// When the outside cannot be reached or does not have it.
    async fn resolve_base(&self, base: &BaseInput, output: Output<'_>) -> Result<Locked, Error>;

    /// Makes a base of exactly what was locked, and keeps it under `key`. `locked` is empty for a base
    /// that names its content itself (an archive with a digest, an OCI layout, nothing).
    ///
    /// # Errors
    /// When it cannot be fetched, or is not what was locked.
    async fn make_base(
        &self,
        key: CacheKey,
        base: &BaseInput,
        locked: &Locked,
        output: Output<'_>,
    ) -> Result<Artifact, Error>;

    /// Opens a writable machine on top of an artifact.
    ///
    /// # Errors
    /// When the artifact is damaged or the machine cannot be made.
    async fn open(
        &self,
        on: &Artifact,
        settings: &Settings,
        output: Output<'_>,
    ) -> Result<Box<dyn Session>, Error>;

    /// Runs an image's tests in a throw-away machine made of an artifact, such as the recipe says.
    ///
    /// # Errors
    /// When the machine cannot be made or does not start. A test that fails is an outcome.
    async fn test(
        &self,
        on: &Artifact,
        plan: &TestPlan,
        settings: &Settings,
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

/// What a session is opened for, and what the recipe says of the machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The first node that is built in it, or the one that is tested.
    pub node: NodeName,
    /// Where the recipe says how its image is built; else where the image is written.
    pub origin: Origin,
    /// How its image is built. Opaque to the engine.
    pub builder: Option<BuilderNode>,
}
