use crate::base;
use crate::cgroup;
use crate::fault::Fault;
use crate::files::Files;
use crate::layers::Layers;
use crate::probe;
use crate::run::{Run, sweep};
use crate::runtime::Runtime;
use crate::session::Session;
use async_trait::async_trait;
use kiln_engine::driver::{
    Artifact, ArtifactIndex, BaseInput, Builder, Output, Settings, TestOutcome, TestPlan,
};
use kiln_engine::lock::Locked;
use kiln_engine::{CacheKey, Error};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::block_in_place;

/// The local builder. Needs nothing but Linux, root, and an OCI runtime.
///
/// Call [`crate::isolate()`] before. Its methods want a tokio runtime of several threads.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) layers: Layers,
    pub(crate) files: Files,
    /// Where sessions go that a person wants to look at.
    pub(crate) kept: PathBuf,
    /// Layers compressed by earlier exports.
    pub(crate) blobs: PathBuf,
    pub(crate) run: Arc<Run>,
}

impl Sandbox {
    /// Opens the sandbox's part of a store, `<store>/sandbox`, and removes what runs that died have left.
    ///
    /// # Errors
    /// Without root, without an OCI runtime, or when the store cannot be written.
    pub fn open(store: &Path) -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Err(needs_root());
        }
        cgroup::check()?;
        let runtime = Runtime::find()?;
        let dir = std::path::absolute(store).doing("use store", store)?.join("sandbox");
        // Images hold what their owner alone may read.
        let private = |dir: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).doing("make", dir)
        };
        let runs = dir.join("runs");
        private(&dir)?;
        private(&runs)?;
        sweep(&runs, &runtime)?;
        let run = Arc::new(Run::begin(&runs, runtime)?);
        let layers = Layers::open(&dir, Arc::clone(&run))?;
        let files = Files::open(&dir.join("files"), Arc::clone(&run))?;
        Ok(Self {
            inner: Arc::new(Inner {
                layers,
                files,
                kept: dir.join("kept"),
                blobs: dir.join("blobs"),
                run,
            }),
        })
    }
}

#[async_trait]
impl ArtifactIndex for Sandbox {
    fn format(&self) -> &'static str {
        self.inner.layers.index.format()
    }

    fn gives_outputs(&self) -> bool {
        self.inner.layers.index.gives_outputs()
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        self.inner.layers.index.find(keys).await
    }
}

#[async_trait]
impl Builder for Sandbox {
    async fn resolve_base(&self, base: &BaseInput, output: Output<'_>) -> Result<Locked, Error> {
        base::resolve(&self.inner, base, output).await.map(Locked::Files)
    }

    async fn make_base(
        &self,
        key: CacheKey,
        base: &BaseInput,
        locked: &Locked,
        output: Output<'_>,
    ) -> Result<Artifact, Error> {
        base::make(&self.inner, key, base, locked.files(), output).await
    }

    async fn open(
        &self,
        on: &Artifact,
        _settings: &Settings,
        _output: Output<'_>,
    ) -> Result<Box<dyn kiln_engine::driver::Session>, Error> {
        let chains = block_in_place(|| self.inner.layers.verified(on))?;
        let id = on.id.parse().failing("malformed artifact")?;
        Ok(Box::new(Session::new(Arc::clone(&self.inner), id, &chains)))
    }

    async fn test(
        &self,
        on: &Artifact,
        plan: &TestPlan,
        _settings: &Settings,
        output: Output<'_>,
    ) -> Result<Vec<TestOutcome>, Error> {
        let chains = block_in_place(|| self.inner.layers.verified(on))?;
        let lower: Vec<PathBuf> =
            chains.iter().map(|chain| self.inner.layers.root(chain.diff)).collect();
        probe::test(&self.inner.run, &lower, plan, output).await
    }
}

pub(crate) fn needs_root() -> Error {
    Error::environment("building images needs root: mounts, owners and devices are made")
        .help("run it with `sudo`")
}
