//! One writable machine on top of an artifact.

mod keep;
mod machine;
mod step;

use crate::layers::Chain;
use crate::put;
use crate::sandbox::Inner;
use async_trait::async_trait;
use kiln::Limits;
use kiln_engine::driver::{
    Action, ActionFailed, Artifact, ExecAction, Label, Output, Program, Progress, Publish,
    Published,
};
use kiln_engine::{CacheKey, Digest, Error};
pub(crate) use machine::{Machine, Network};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::block_in_place;

/// A stack of layers, and the machine that writes the next one, made when the first action needs it.
pub(crate) struct Session {
    inner: Arc<Inner>,
    /// What the layer stands on.
    id: Digest,
    /// Top first.
    lower: Vec<PathBuf>,
    machine: Option<Machine>,
}

impl Session {
    pub(crate) fn new(inner: Arc<Inner>, id: Digest, chains: &[Chain]) -> Self {
        let lower = chains.iter().map(|chain| inner.layers.root(chain.diff)).collect();
        Self { inner, id, lower, machine: None }
    }

    fn machine(&mut self) -> Result<&mut Machine, Error> {
        if self.machine.is_none() {
            self.machine = Some(Machine::new(&self.inner.run, &self.lower)?);
        }
        match &mut self.machine {
            Some(machine) => Ok(machine),
            None => Err(Error::environment("the session has no machine")),
        }
    }

    async fn act(&mut self, action: &Action, output: Output<'_>) -> Result<(), Error> {
        match action {
            Action::Put(action) => block_in_place(|| put::put(self.machine()?.root(), action)),
            Action::Remove { dest } => block_in_place(|| put::remove(self.machine()?.root(), dest)),
            Action::Exec(action) => self.exec(action, output).await,
            Action::Reboot => {
                output("no machine runs here: there is nothing to restart");
                Ok(())
            }
        }
    }

    async fn exec(&mut self, action: &ExecAction, output: Output<'_>) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let machine = block_in_place(|| self.machine())?;
        block_in_place(|| step::stage(&inner.files, machine, action, output))?;
        let process = step::process(machine.root(), action)?;
        let network = if action.network { Network::Host } else { Network::None };
        let container = machine.container(network).await?;
        process.run(container, action.limits, output).await
    }
}

#[async_trait]
impl kiln_engine::driver::Session for Session {
    async fn resolve(
        &mut self,
        script: &str,
        limits: Limits,
        output: Output<'_>,
    ) -> Result<String, Error> {
        let mut lower = self.lower.clone();
        if let Some(machine) = &self.machine {
            lower.insert(0, machine.upper());
        }
        let mut copy = block_in_place(|| Machine::new(&self.inner.run, &lower))?;
        let action = ExecAction {
            program: Program::Shell(script.to_owned()),
            env: Default::default(),
            cwd: None,
            user: None,
            network: true,
            limits,
            files: None,
        };
        let process = step::process(copy.root(), &action)?;
        let container = copy.container(Network::Host).await?;
        let printed = process.capture(container, limits, output).await;
        block_in_place(|| copy.remove())?;
        String::from_utf8(printed?)
            .map_err(|_| Error::input("the resolving script printed something that is not text"))
    }

    async fn run(
        &mut self,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed> {
        for (position, action) in actions.iter().enumerate() {
            progress.started(position);
            let output = |line: &str| progress.line(position, line);
            let done = self.act(action, &output).await;
            done.map_err(|error| ActionFailed { action: position, error })?;
        }
        Ok(())
    }

    async fn checkpoint(&mut self, key: CacheKey, _label: &Label) -> Result<Artifact, Error> {
        block_in_place(|| {
            self.machine()?;
            let Some(machine) = self.machine.take() else {
                return Err(Error::environment("the session has no machine"));
            };
            let closed = machine.close()?;
            let (artifact, chain) = self.inner.layers.keep(&closed.upper(), Some(self.id), key)?;
            closed.remove()?;
            self.id = chain.id();
            self.lower.insert(0, self.inner.layers.root(chain.diff));
            Ok(artifact)
        })
    }

    async fn publish(
        self: Box<Self>,
        _key: CacheKey,
        _image: &Publish,
        _output: Output<'_>,
    ) -> Result<Published, Error> {
        Err(Error::environment(
            "an image of the sandbox is its last layer: there is nothing to make",
        ))
    }

    async fn shell(&mut self) -> Result<(), Error> {
        let machine = block_in_place(|| self.machine())?;
        let action = ExecAction {
            program: Program::Argv(vec!["/bin/sh".into()]),
            env: std::env::var("TERM").map(|term| ("TERM".to_owned(), term)).into_iter().collect(),
            cwd: None,
            user: None,
            network: true,
            limits: Limits::default(),
            files: None,
        };
        let process = step::process(machine.root(), &action)?;
        let container = machine.container(Network::Host).await?;
        process.interact(container).await
    }

    async fn keep(mut self: Box<Self>) -> Result<String, Error> {
        block_in_place(|| {
            self.machine()?;
            let Some(machine) = self.machine.take() else {
                return Err(Error::environment("the session has no machine"));
            };
            keep::keep(machine.close()?, &self.lower, &self.inner.kept, &self.inner.run)
        })
    }

    async fn close(mut self: Box<Self>) -> Result<(), Error> {
        match self.machine.take() {
            Some(machine) => block_in_place(|| machine.remove()),
            None => Ok(()),
        }
    }
}
