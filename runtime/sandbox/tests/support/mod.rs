//! What the tests of the real thing share. They need root and an OCI runtime.
#![allow(dead_code, reason = "each test program uses a part")]

use kiln::{BaseNode, Limits, Mode, Owner, debian};
use kiln_engine::driver::{
    Action, Artifact, ArtifactIndex, BaseInput, Builder, Content, ExecAction, Label, Program,
    Progress, PutAction, Session, Settings,
};
use kiln_engine::lock::{Locked, LockedFile};
use kiln_engine::{CacheKey, Digest, Error, NodeName};
use kiln_sandbox::{Sandbox, isolate};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Where the Debian base is kept between runs of the tests: making it takes 15 s.
pub fn store() -> PathBuf {
    std::env::var_os("KILN_TEST_STORE").map_or("/var/tmp/kiln-test-store".into(), PathBuf::from)
}

/// Runs a test in a mount namespace of its own.
pub fn isolated<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    isolate().unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test())
}

pub fn key(text: &str) -> CacheKey {
    CacheKey(Digest::of(text.as_bytes()))
}

/// A key that no run before this one has used.
pub fn fresh_key(text: &str) -> CacheKey {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    key(&format!("{text} {id}"))
}

pub fn quiet(_: &str) {}

/// The Debian base, made once per store. Tests of several processes wait for the one that makes it.
pub async fn base(sandbox: &Sandbox) -> Artifact {
    std::fs::create_dir_all(store()).unwrap();
    let lock = File::create(store().join("base.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let key = key("base of the tests 1");
    if let Some(found) = sandbox.find(&[key]).await.unwrap().remove(0) {
        return found;
    }
    let locked = Locked::Files(locked_base(sandbox).await);
    sandbox.make_base(key, &debian_input(), &locked, &quiet).await.unwrap()
}

/// What the base consists of, resolved once per store.
pub async fn locked_base(sandbox: &Sandbox) -> Vec<LockedFile> {
    let path = store().join("base.locked");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return text.lines().map(|line| line.parse().unwrap()).collect();
    }
    let locked = sandbox.resolve_base(&debian_input(), &quiet).await.unwrap();
    let locked = locked.files().to_vec();
    let lines: Vec<String> = locked.iter().map(ToString::to_string).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    locked
}

pub fn debian_input() -> BaseInput {
    input(BaseNode::Debian(debian("bookworm")))
}

pub fn input(node: BaseNode) -> BaseInput {
    BaseInput { node, root: "/nonexistent".into(), manifest: None }
}

pub fn shell(script: &str) -> ExecAction {
    ExecAction {
        program: Program::Shell(script.into()),
        env: BTreeMap::new(),
        cwd: None,
        user: None,
        network: false,
        limits: Limits::default(),
        files: None,
    }
}

pub fn put(dest: &str, content: Content) -> PutAction {
    PutAction { dest: dest.into(), content, mode: None, directory_mode: None, owner: Owner::root() }
}

pub fn put_text(dest: &str, text: &str) -> PutAction {
    put(dest, Content::Bytes(Arc::from(text.as_bytes())))
}

pub fn with(mut action: PutAction, mode: u32, owner: &str) -> PutAction {
    action.mode = Some(Mode(mode));
    action.owner = Owner::parse(owner);
    action
}

/// A session on the base, and what its commands have printed.
pub struct Bench {
    pub sandbox: Sandbox,
    pub session: Box<dyn Session>,
}

impl Bench {
    pub async fn new() -> Self {
        let sandbox = Sandbox::open(&store()).unwrap();
        let base = base(&sandbox).await;
        Self::on(sandbox, &base).await
    }

    pub async fn on(sandbox: Sandbox, artifact: &Artifact) -> Self {
        let session = sandbox.open(artifact, &settings(), &quiet).await.unwrap();
        Self { sandbox, session }
    }

    pub async fn run(&mut self, action: impl Into<Do>) -> Result<Vec<String>, Error> {
        let lines = Mutex::new(Vec::new());
        let output = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let actions = [action.into().0];
        let done = self.session.run(&actions, &Lines(&output)).await;
        done.map_err(|failed| failed.error)?;
        Ok(lines.into_inner().unwrap())
    }

    /// Runs a shell text and returns what it printed.
    pub async fn sh(&mut self, script: &str) -> String {
        match self.run(shell(script)).await {
            Ok(lines) => lines.join("\n"),
            Err(error) => panic!("{}: {:?}", error.chain(), error.output_lines()),
        }
    }

    pub async fn fails(&mut self, action: impl Into<Do>) -> Error {
        match self.run(action).await {
            Ok(lines) => panic!("it should have failed, and printed {lines:?}"),
            Err(error) => error,
        }
    }
}

/// Passes the lines of a batch on.
pub struct Lines<'a>(pub &'a (dyn Fn(&str) + Send + Sync));

impl Progress for Lines<'_> {
    fn started(&self, _: usize) {}

    fn line(&self, _: usize, line: &str) {
        (self.0)(line);
    }
}

pub fn name() -> NodeName {
    NodeName { image: "test".into(), layer: "layer".into() }
}

pub fn label() -> Label {
    Label { node: name(), parent: None, image_follows: false }
}

pub fn settings() -> Settings {
    Settings { node: name(), origin: kiln::Origin::caller(), builder: None }
}

/// Anything that a session runs.
pub struct Do(Action);

impl From<ExecAction> for Do {
    fn from(action: ExecAction) -> Self {
        Self(Action::Exec(action))
    }
}

impl From<PutAction> for Do {
    fn from(action: PutAction) -> Self {
        Self(Action::Put(action))
    }
}

impl From<Action> for Do {
    fn from(action: Action) -> Self {
        Self(action)
    }
}

/// An artifact of its own for a test that damages or stacks layers.
pub async fn scratch(sandbox: &Sandbox) -> Artifact {
    let node = BaseNode::Scratch(kiln::Origin::caller());
    sandbox.make_base(key("scratch"), &input(node), &Locked::nothing(), &quiet).await.unwrap()
}

/// A file of this machine, as an input of a recipe.
pub fn file_of(path: &Path) -> Content {
    let content = std::fs::read(path).unwrap();
    Content::File { path: path.to_owned(), digest: Digest::of(&content), executable: false }
}
