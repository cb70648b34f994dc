//! A builder in memory: artifacts are texts that say what was done, so that tests read as they run.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use kiln::Limits;
use kiln_engine::bake::{Bake, Jobs, NodeOutcome, OnError, Options, Outcome, Resolve};
use kiln_engine::driver::{
    Action, ActionFailed, Artifact, ArtifactIndex, BaseInput, Builder, Content, Label, Output,
    Program, Progress, Publish, Published, Session, Settings, TestOutcome, TestPlan,
};
use kiln_engine::graph::Graph;
use kiln_engine::inputs::Inputs;
use kiln_engine::key::Target;
use kiln_engine::lock::{LockFile, Locked, LockedImage};
use kiln_engine::plan::{KeyedGraph, Plan};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Digest, Error, ErrorKind, Event};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What a command "does": it appends its text. `fail` fails, `date` would differ on each run but makes
/// the same output, `damaged` finds what it stands on damaged once.
#[derive(Default, Clone)]
pub struct Memory {
    pub outputs: bool,
    /// Whether images are artifacts of their own, and bases are somebody else's.
    pub publishes: bool,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub index: BTreeMap<CacheKey, Artifact>,
    pub calls: Vec<String>,
    /// How often artifacts were looked up.
    pub looked_up: usize,
    /// What the outside says when asked.
    pub outside: String,
    pub damaged: Option<String>,
}

impl Memory {
    pub fn new() -> Self {
        let memory = Self { outputs: true, publishes: false, state: Arc::default() };
        memory.state.lock().unwrap().outside = locked("1.0");
        memory
    }

    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    fn artifact(&self, text: String) -> Artifact {
        let output = self.outputs.then(|| Digest::of(text.as_bytes()));
        Artifact { id: text, output }
    }

    fn say(&self, call: impl Into<String>) {
        self.state.lock().unwrap().calls.push(call.into());
    }
}

pub fn locked(version: &str) -> String {
    let sha = blake3::hash(version.as_bytes()).to_hex();
    format!("sha256:{sha} 1 {version} http://archive.test/p_{version}_all.deb")
}

#[async_trait]
impl ArtifactIndex for Memory {
    fn format(&self) -> &'static str {
        "memory 1"
    }

    fn gives_outputs(&self) -> bool {
        self.outputs
    }

    fn given(&self, _: &BaseInput, locked: &Locked) -> Option<Artifact> {
        match locked {
            Locked::Image(image) => Some(Artifact { id: image.id.clone(), output: None }),
            Locked::Files(_) => None,
        }
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        self.state.lock().unwrap().looked_up += 1;
        let state = self.state.lock().unwrap();
        Ok(keys.iter().map(|key| state.index.get(key).cloned()).collect())
    }
}

#[async_trait]
impl Builder for Memory {
    async fn resolve_base(&self, _: &BaseInput, _: Output<'_>) -> Result<Locked, Error> {
        self.say("resolve base");
        if self.publishes {
            let image = LockedImage { id: "theirs".into(), name: "of somebody else".into() };
            return Ok(Locked::Image(image));
        }
        let outside = self.state.lock().unwrap().outside.clone();
        outside.lines().map(str::parse).collect::<Result<_, _>>().map(Locked::Files)
    }

    async fn make_base(
        &self,
        key: CacheKey,
        _: &BaseInput,
        locked: &Locked,
        _: Output<'_>,
    ) -> Result<Artifact, Error> {
        if let Locked::Image(image) = locked {
            return Ok(Artifact { id: image.id.clone(), output: None });
        }
        let versions: Vec<&str> = locked.files().iter().map(|file| file.version.as_str()).collect();
        self.say(format!("base {}", versions.join(" ")));
        let artifact = self.artifact(format!("base {}", versions.join(" ")));
        self.state.lock().unwrap().index.insert(key, artifact.clone());
        Ok(artifact)
    }

    async fn open(
        &self,
        on: &Artifact,
        _: &Settings,
        _: Output<'_>,
    ) -> Result<Box<dyn Session>, Error> {
        self.say("open");
        let damaged = self.state.lock().unwrap().damaged.take();
        if let Some(text) = damaged {
            self.state.lock().unwrap().index.retain(|_, artifact| !artifact.id.ends_with(&text));
            return Err(Error::new(ErrorKind::Damaged, "a layer was damaged"));
        }
        Ok(Box::new(Writing { memory: self.clone(), text: on.id.clone() }))
    }

    async fn test(
        &self,
        _: &Artifact,
        _: &TestPlan,
        _: &Settings,
        _: Output<'_>,
    ) -> Result<Vec<TestOutcome>, Error> {
        Ok(Vec::new())
    }
}

struct Writing {
    memory: Memory,
    text: String,
}

impl Writing {
    fn act(&mut self, action: &Action, output: Output<'_>) -> Result<(), Error> {
        let done = match action {
            Action::Put(put) => match &put.content {
                Content::Bytes(bytes) => {
                    format!("put {}={}", put.dest, String::from_utf8_lossy(bytes))
                }
                _ => format!("put {}", put.dest),
            },
            Action::Remove { dest } => format!("remove {dest}"),
            Action::Reboot => "reboot".into(),
            Action::Exec(exec) => match &exec.program {
                Program::Shell(text) if text == "fail" => {
                    output("it does not work");
                    return Err(Error::input("command exited with status 1")
                        .output(vec!["it does not work".into()]));
                }
                // A comment for the shell: another definition, the same output.
                Program::Shell(text) => {
                    text.split('#').next().unwrap_or_default().trim().to_owned()
                }
                _ => "exec".into(),
            },
        };
        if let Action::Exec(exec) = action
            && let Some(files) = &exec.files
        {
            let versions: Vec<&str> = files.iter().map(|file| file.version.as_str()).collect();
            self.memory.say(format!("install {}", versions.join(" ")));
            self.text.push_str(&format!(" + {}", versions.join(" ")));
            return Ok(());
        }
        self.memory.say(&done);
        self.text.push_str(&format!(" + {done}"));
        Ok(())
    }
}

#[async_trait]
impl Session for Writing {
    async fn resolve(&mut self, script: &str, _: Limits, _: Output<'_>) -> Result<String, Error> {
        let outside = self.memory.state.lock().unwrap().outside.clone();
        self.memory.say(format!("resolve {}", script.lines().last().unwrap_or_default()));
        Ok(outside)
    }

    async fn run(
        &mut self,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed> {
        for (position, action) in actions.iter().enumerate() {
            progress.started(position);
            self.act(action, &|line| progress.line(position, line))
                .map_err(|error| ActionFailed { action: position, error })?;
        }
        Ok(())
    }

    async fn checkpoint(&mut self, key: CacheKey, label: &Label) -> Result<Artifact, Error> {
        let then = if label.image_follows { " before the image" } else { "" };
        self.memory.say(format!("checkpoint{then}"));
        let artifact = self.memory.artifact(self.text.clone());
        self.memory.state.lock().unwrap().index.insert(key, artifact.clone());
        Ok(artifact)
    }

    async fn publish(
        self: Box<Self>,
        key: CacheKey,
        image: &Publish,
        _: Output<'_>,
    ) -> Result<Published, Error> {
        self.memory.say(format!("publish {}", image.name));
        // A test that runs `fail` fails.
        let outcome = |test: &kiln::Test| {
            let fails = test.probe == Some(kiln::Probe::Run("fail".into()));
            TestOutcome {
                time: std::time::Duration::ZERO,
                failure: fails.then(|| "status 1".to_owned()),
                output: Vec::new(),
            }
        };
        let tests: Vec<TestOutcome> = image.tests.tests.iter().map(outcome).collect();
        if tests.iter().any(|test| test.failure.is_some()) {
            return Ok(Published { artifact: None, tests });
        }
        let artifact = self.memory.artifact(format!("image of {}", self.text));
        self.memory.state.lock().unwrap().index.insert(key, artifact.clone());
        Ok(Published { artifact: Some(artifact), tests })
    }

    async fn shell(&mut self) -> Result<(), Error> {
        self.memory.say("shell");
        Ok(())
    }

    async fn keep(self: Box<Self>) -> Result<String, Error> {
        self.memory.say("keep");
        Ok("enter".into())
    }

    async fn close(self: Box<Self>) -> Result<(), Error> {
        self.memory.say("close");
        Ok(())
    }
}

/// A project folder with a store, in which documents are baked one after the other.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub memory: Memory,
    pub resolve: Resolve,
    pub on_error: OnError,
    pub target: Target,
}

/// What one bake said and did.
pub struct Baked {
    pub plan: Vec<String>,
    pub events: Vec<Event>,
    pub calls: Vec<String>,
    pub outcome: Result<Outcome, Vec<Error>>,
}

impl Baked {
    pub fn counts(&self) -> (usize, usize, usize) {
        self.outcome.as_ref().unwrap().counts()
    }

    pub fn error(&self) -> &Error {
        let outcome = self.outcome.as_ref().unwrap();
        let failed = |node: &'_ NodeOutcome| matches!(node, NodeOutcome::Failed(_));
        assert_eq!(outcome.nodes.values().filter(|node| failed(node)).count(), 1);
        outcome.errors().next().unwrap()
    }
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            memory: Memory::new(),
            resolve: Resolve::Everything,
            on_error: OnError::Cleanup,
            target: target(),
        }
    }

    pub fn root(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn lock(&self) -> LockFile {
        LockFile::read(&self.folder.path().join("kiln.lock")).unwrap()
    }

    pub fn key(
        &self,
        document: kiln::Document,
    ) -> Result<(KeyedGraph, Store, LockFile), Vec<Error>> {
        let store = Store::open(&self.folder.path().join("store")).unwrap();
        let lock = self.lock();
        let graph = Graph::new(document, self.memory.publishes)?;
        let wanted: Vec<_> = graph.indices().collect();
        let inputs = Inputs::new(store.inputs());
        let target = self.target.clone();
        let keyed = KeyedGraph::new(graph, &wanted, target, &inputs, &lock, no_layouts)?;
        Ok((keyed, store, lock))
    }

    pub async fn bake(&self, document: kiln::Document) -> Baked {
        self.bake_with(document, |_, _| ()).await
    }

    /// Bakes one of several images.
    pub async fn bake_only(&self, name: &str, document: kiln::Document) -> Baked {
        self.bake_some(&[name.to_owned()], document, |_, _| ()).await
    }

    pub async fn bake_with(
        &self,
        document: kiln::Document,
        before: impl FnOnce(&LockFile, &mut KeyedGraph),
    ) -> Baked {
        self.bake_some(&[], document, before).await
    }

    async fn bake_some(
        &self,
        names: &[String],
        document: kiln::Document,
        before: impl FnOnce(&LockFile, &mut KeyedGraph),
    ) -> Baked {
        let (mut keyed, store, lock) = self.key(document).unwrap();
        before(&lock, &mut keyed);
        let wanted = keyed.graph().needed_for(&keyed.graph().select(names).unwrap());
        let project: PathBuf = Path::new(self.root()).to_owned();
        let plan = Plan::make(&keyed, &wanted, &self.memory, &store, &project).await.unwrap();
        let lines = plan.nodes.iter().map(|(index, planned)| {
            let name = &keyed.graph().node(*index).name;
            match planned {
                kiln_engine::plan::Planned::Cached { .. } => format!("{name} cached"),
                kiln_engine::plan::Planned::Build { why, .. } => format!("{name}: {why}"),
            }
        });
        let lines = lines.collect();
        let (_sender, interrupted) = watch::channel(false);
        let (jobs, resolve) = (Jobs::new(2), self.resolve);
        let options = Options { jobs, on_error: self.on_error, resolve, interrupted };
        let events = Mutex::new(Vec::new());
        let bake = Bake {
            keyed: &keyed,
            builder: &self.memory,
            store: &store,
            lock: &lock,
            project: &project,
            events: &|event| events.lock().unwrap().push(event),
            options: &options,
        };
        let outcome = bake.run(&plan).await;
        let events = events.into_inner().unwrap();
        Baked { plan: lines, events, calls: self.memory.calls(), outcome }
    }
}

pub fn target() -> Target {
    Target { builder: "memory".into(), place: None, architecture: "amd64".into() }
}

/// No recipe here starts from a layout.
fn no_layouts(_: &Path, _: Option<&str>) -> Result<String, Error> {
    Err(Error::input("no layout"))
}
