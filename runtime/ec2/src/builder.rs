use crate::aws::Aws;
use crate::base::{self, BaseImage};
use crate::deploy::{Answers, Left};
use crate::files::Files;
use crate::index::{self, Layer};
use crate::launch::{Launch, Start};
use crate::probe;
use crate::run::{Remains, Run, Where};
use crate::session::{Cleaned, Live, Session, connect};
use crate::wait::Poller;
use async_trait::async_trait;
use kiln::{Ami, AmiSource, BaseNode, BuilderNode, Ec2 as Recipe};
use kiln_engine::driver::{
    Artifact, ArtifactIndex, BaseInput, Builder, Output, Settings, TestOutcome, TestPlan,
};
use kiln_engine::lock::Locked;
use kiln_engine::{CacheKey, Error};
use kiln_ssh::Patience;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a machine may take from running to the end of its first boot.
const BOOTS_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Where a builder works, and for whom.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The store.
    pub store: &'a Path,
    /// The project's name: what is found of it and made for it has it as a tag.
    pub project: &'a str,
    /// The region: `eu-west-1`.
    pub region: &'a str,
    /// What images are made for, in Debian's words: `amd64`.
    pub architecture: &'a str,
    /// Turns true when the user asks to stop: waits end then, after they have cleaned up.
    pub interrupted: watch::Receiver<bool>,
}

/// The EC2 builder of one region. Its methods want a tokio runtime of several threads.
#[derive(Debug, Clone)]
pub struct Ec2 {
    pub(crate) inner: Arc<Inner>,
}

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) aws: Aws,
    pub(crate) poller: Poller,
    pub(crate) run: Run,
    pub(crate) files: Files,
    /// Where the keys of machines go that a person wants to look at.
    pub(crate) kept: PathBuf,
    pub(crate) project: String,
    /// What servers of deployments have answered.
    pub(crate) answers: Answers,
    /// Servers that are still asked.
    pub(crate) left: Left,
    architecture: String,
    interrupted: watch::Receiver<bool>,
    /// What is known of snapshots that were found or made, by their ids.
    layers: Mutex<BTreeMap<String, Layer>>,
    pub(crate) runs: PathBuf,
    place: Where,
    swept: tokio::sync::Mutex<bool>,
}

impl Ec2 {
    /// A builder at a place. Nothing is asked over the network.
    ///
    /// # Errors
    /// When the configuration of the AWS tools cannot be read.
    pub async fn open(place: Place<'_>) -> Result<Self, Error> {
        let aws = Aws::connect(Some(place.region)).await?;
        let poller = Poller::new(aws.clone(), place.interrupted.clone());
        Ok(Self::of(place, aws, poller))
    }

    /// Another one in the same region: both ask by the same connections, and wait by one poller.
    #[must_use]
    pub fn beside(&self, place: Place<'_>) -> Self {
        let Inner { aws, poller, .. } = &*self.inner;
        let poller = poller.for_another(place.interrupted.clone());
        Self::of(place, aws.clone(), poller)
    }

    fn of(place: Place<'_>, aws: Aws, poller: Poller) -> Self {
        let Place { store, project, region: _, architecture, interrupted } = place;
        let dir = store.join("ec2");
        let runs = dir.join("runs");
        let at = aws.place();
        Self {
            inner: Arc::new(Inner {
                poller,
                run: Run::new(runs.clone(), at.clone(), project),
                files: Files::new(dir.join("files")),
                kept: dir.join("kept"),
                project: project.to_owned(),
                answers: Answers::default(),
                left: Left::default(),
                architecture: architecture.to_owned(),
                interrupted,
                layers: Mutex::default(),
                runs,
                place: at,
                swept: tokio::sync::Mutex::new(false),
                aws,
            }),
        }
    }
}

/// The region that AWS tools use here: that of the environment, of the profile, or of the instance this runs on.
///
/// # Errors
/// When none of them says, or what they say is no region.
pub async fn region() -> Result<String, Error> {
    let region = Aws::connect(None).await?.region().to_owned();
    // Asked there, AWS finds fault with the credentials, or nobody answers.
    kiln::rules::region(&region).map_err(|fault| {
        let error =
            Error::input(format!("{}, which AWS_REGION or the profile says", fault.message));
        match fault.help {
            Some(help) => error.help(help),
            None => error,
        }
    })?;
    Ok(region)
}

impl Inner {
    /// Until when to wait for a machine that runs.
    pub(crate) fn patience(&self) -> Patience {
        Patience::of(BOOTS_WITHIN, self.interrupted.clone())
    }

    /// Keeps in mind what is known of a snapshot.
    pub(crate) fn remember(&self, snapshot: &str, layer: Layer) {
        let mut known = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(snapshot.to_owned(), layer);
    }

    fn recall(&self, snapshot: &str) -> Option<Layer> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).get(snapshot).cloned()
    }

    /// Where a machine begins that stands on an artifact.
    async fn start(&self, on: &Artifact) -> Result<Start, Error> {
        if on.id.starts_with("ami-") {
            return BaseImage::find(&self.aws, &on.id).await.map(Start::Image);
        }
        match self.recall(&on.id) {
            Some(layer) => Ok(Start::Snapshot { id: on.id.clone(), layer }),
            None => index::start(&self.aws, &on.id).await,
        }
    }

    /// Launches a machine on an artifact and connects to it; says whether an image can be made of that artifact.
    async fn live(
        &self,
        on: &Artifact,
        recipe: &Recipe,
        name: &str,
        output: Output<'_>,
    ) -> Result<(Live, Cleaned), Error> {
        if *self.interrupted.borrow() {
            return Err(Error::interrupted());
        }
        self.sweep(output).await;
        let Self { aws, run, poller, .. } = self;
        let launch = Launch { aws, run, poller, recipe, name };
        let start = self.start(on).await?;
        let cleaned = Cleaned::at_launch(&start, recipe);
        let launched = launch.launch(start).await?;
        output(&format!("`{}` runs at {}", launched.id(), launched.address));
        match connect(self, &launched, output).await {
            Ok(machine) => Ok((Live { launched, machine }, cleaned)),
            Err(error) => {
                launched.end(aws, poller).await?;
                Err(error)
            }
        }
    }

    /// Removes what dead runs have left, once in the life of this process, and not before it makes something
    /// itself: a bake that finds everything makes no call for it.
    async fn sweep(&self, output: Output<'_>) {
        let mut swept = self.swept.lock().await;
        if std::mem::replace(&mut *swept, true) {
            return;
        }
        let remains = Remains::find(&self.runs, &self.place);
        if remains.is_empty() {
            return;
        }
        output("removing what an earlier run has left");
        for error in remains.sweep(&self.aws, &self.poller).await.err().unwrap_or_default() {
            output(&format!("the next run tries again: {}", error.chain()));
        }
    }
}

#[async_trait]
impl ArtifactIndex for Ec2 {
    fn format(&self) -> &'static str {
        "ec2 1"
    }

    fn gives_outputs(&self) -> bool {
        false
    }

    fn given(&self, base: &BaseInput, locked: &Locked) -> Option<Artifact> {
        let id = match (&base.node, locked) {
            (_, Locked::Image(image)) => &image.id,
            (BaseNode::Ami(Ami { source: AmiSource::Id(id), .. }), _) => id,
            _ => return None,
        };
        Some(index::artifact(id))
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        let found = index::find(&self.inner.aws, keys).await?;
        for (snapshot, layer) in found.layers {
            self.inner.remember(&snapshot, layer);
        }
        Ok(keys.iter().map(|key| found.artifacts.get(&key.to_string()).cloned()).collect())
    }
}

#[async_trait]
impl Builder for Ec2 {
    async fn resolve_base(&self, base: &BaseInput, output: Output<'_>) -> Result<Locked, Error> {
        let Inner { aws, architecture, .. } = &*self.inner;
        let image = base::resolve(aws, &base.node, architecture).await?;
        output(&format!("{} is `{}`", image.id, image.name));
        Ok(Locked::Image(image))
    }

    async fn make_base(
        &self,
        _key: CacheKey,
        base: &BaseInput,
        locked: &Locked,
        _output: Output<'_>,
    ) -> Result<Artifact, Error> {
        self.given(base, locked).ok_or_else(|| {
            Error::input("an image on EC2 starts from an AMI, which this base is not")
                .help("start from `debian(\"…\")`, an `ami`, or another image")
        })
    }

    async fn open(
        &self,
        on: &Artifact,
        settings: &Settings,
        output: Output<'_>,
    ) -> Result<Box<dyn kiln_engine::driver::Session>, Error> {
        let (recipe, name) = (of_recipe(settings), settings.node.to_string());
        let live = self.inner.live(on, &recipe, &name, output).await;
        let (live, cleaned) = live.map_err(|error| error.at(&settings.origin))?;
        Ok(Box::new(Session::new(Arc::clone(&self.inner), recipe, live, cleaned)))
    }

    async fn test(
        &self,
        on: &Artifact,
        plan: &TestPlan,
        settings: &Settings,
        output: Output<'_>,
    ) -> Result<Vec<TestOutcome>, Error> {
        let Inner { aws, poller, .. } = &*self.inner;
        let (recipe, name) = (of_recipe(settings), settings.node.to_string());
        let live = self.inner.live(on, &recipe, &name, output).await;
        let (Live { launched, mut machine }, _) =
            live.map_err(|error| error.at(&settings.origin))?;
        let outcomes = probe::test(&mut machine, plan).await;
        drop(machine);
        launched.end(aws, poller).await?;
        outcomes
    }
}

/// What the recipe says of its machines.
fn of_recipe(settings: &Settings) -> Recipe {
    match &settings.builder {
        Some(BuilderNode::Ec2(recipe)) => recipe.clone(),
        None => kiln::ec2(),
    }
}
