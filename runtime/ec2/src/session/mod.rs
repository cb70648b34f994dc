//! One machine on EC2 that layers are baked on.

mod batch;
mod cleaned;
mod connect;
mod enter;
mod fetch;
mod put;
mod snapshot;

pub(crate) use batch::duration;
pub(crate) use cleaned::Cleaned;
pub(crate) use connect::connect;
pub(crate) use enter::{WORK, quote};
pub(crate) use snapshot::snapshot;

use crate::aws::tags::{self, CLEAN, KEY, MACHINE, NAME, PARENT};
use crate::builder::Inner;
use crate::index::Layer;
use crate::launch::Launched;
use crate::publish::{Lines, Publication, scrub};
use async_trait::async_trait;
use batch::{Batch, in_words};
use enter::script_in_copy;
use kiln::{Ec2, Limits};
use kiln_engine::driver::{
    Action, ActionFailed, Artifact, ExecAction, Label, Output, Progress, Publish, Published,
};
use kiln_engine::lock::LockedFile;
use kiln_engine::{CacheKey, Error};
use kiln_ssh::{Directories, Exec, Machine, Op, Owner, Unpack};
use std::path::Path;
use std::sync::Arc;

/// A machine that runs, and the connection to it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) launched: Launched,
    pub(crate) machine: Machine,
}

/// See [`kiln_engine::driver::Session`].
pub(crate) struct Session {
    inner: Arc<Inner>,
    recipe: Ec2,
    live: Option<Live>,
    cleaned: Cleaned,
}

impl Session {
    pub(crate) fn new(inner: Arc<Inner>, recipe: Ec2, live: Live, cleaned: Cleaned) -> Self {
        Self { inner, recipe, live: Some(live), cleaned }
    }

    fn live(&mut self) -> Result<&mut Live, Error> {
        self.live.as_mut().ok_or_else(|| Error::environment("the machine is ended already"))
    }

    async fn do_all(
        &mut self,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed> {
        let mut batch = Batch::default();
        for (index, action) in actions.iter().enumerate() {
            let failed = |error: Error| ActionFailed { action: index, error };
            let collected = match action {
                Action::Put(put) => batch.put(index, put),
                Action::Remove { dest } => batch.remove(index, dest),
                Action::Exec(exec @ ExecAction { files: None, .. }) => batch.exec(index, exec),
                // What it needs may have to come from here, which only the machine's own try tells.
                Action::Exec(exec @ ExecAction { files: Some(files), .. }) => {
                    let machine = &mut self.live().map_err(failed)?.machine;
                    std::mem::take(&mut batch).run(machine, actions, progress).await?;
                    progress.started(index);
                    self.provide(files, &|line| progress.line(index, line))
                        .await
                        .map_err(failed)?;
                    batch.exec(index, exec)
                }
                Action::Reboot => {
                    let machine = &mut self.live().map_err(failed)?.machine;
                    std::mem::take(&mut batch).run(machine, actions, progress).await?;
                    progress.started(index);
                    let patience = self.inner.patience();
                    let log = |line: &str| progress.line(index, line);
                    let machine = &mut self.live().map_err(failed)?.machine;
                    let restarted = machine.reboot(&patience, &log).await;
                    restarted.map_err(|error| in_words(error, Some(action)))
                }
            };
            collected.map_err(failed)?;
        }
        let last = actions.len().saturating_sub(1);
        let live = self.live().map_err(|error| ActionFailed { action: last, error })?;
        batch.run(&mut live.machine, actions, progress).await
    }

    /// Sees to it that the machine has locked files: fetched by itself, or else sent from here.
    async fn provide(&mut self, files: &[LockedFile], output: Output<'_>) -> Result<(), Error> {
        let machine = &mut self.live()?.machine;
        if files.is_empty() {
            return once(machine, Exec::shell(fetch::clear()), output).await;
        }
        if let Err(failed) = machine.run(&[Op::Exec(fetch::fetch(files))], &Lines(output)).await {
            if !matches!(failed.error.kind(), kiln_ssh::ErrorKind::Failed { .. }) {
                return Err(crate::ssh::in_our_words(failed.error));
            }
            output(&format!("the machine cannot fetch all of {} files: sending them", files.len()));
            let here = tokio::task::block_in_place(|| self.inner.files.fetch(files))?;
            let named = here.into_iter().zip(files.iter().map(LockedFile::name)).collect();
            let unpack = Unpack {
                into: format!("{WORK}/files"),
                owner: Owner::root(),
                directories: Directories::Keep,
                archive: put::files(named),
            };
            let machine = &mut self.live()?.machine;
            once(machine, Exec::shell(fetch::clear()), output).await?;
            let sent = machine.run(&[Op::Unpack(unpack)], &Lines(output)).await;
            sent.map_err(|failed| in_words(failed.error, None))?;
        }
        Ok(())
    }
}

async fn once(machine: &mut Machine, exec: Exec, output: Output<'_>) -> Result<(), Error> {
    let ended = machine.run(&[Op::Exec(exec)], &Lines(output)).await;
    ended.map_err(|failed| in_words(failed.error, None))
}

#[async_trait]
impl kiln_engine::driver::Session for Session {
    async fn resolve(
        &mut self,
        script: &str,
        limits: Limits,
        output: Output<'_>,
    ) -> Result<String, Error> {
        self.cleaned = Cleaned::No;
        let exec = script_in_copy(script, limits);
        let printed = self.live()?.machine.output(exec, output).await;
        printed.map_err(|error| in_words(error, None))
    }

    async fn run(
        &mut self,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed> {
        self.cleaned = Cleaned::No;
        self.do_all(actions, progress).await
    }

    async fn checkpoint(&mut self, key: CacheKey, label: &Label) -> Result<Artifact, Error> {
        let inner = Arc::clone(&self.inner);
        let mut tags = self.recipe.tags.clone();
        let Live { launched, machine } = self.live()?;
        // EC2 takes one snapshot of a volume in 15 s: that of the last layer is the image's too.
        let complaint = match label.image_follows {
            true => Some(scrub(machine, launched.login.public_openssh(), &|_| {}).await?),
            false => None,
        };
        let is_clean = matches!(complaint, Some(None));
        if !is_clean {
            let text = format!("rm -rf {WORK} /run/kiln\nsync\n");
            once(machine, Exec::shell(text), &|_| {}).await?;
        }
        // Not written down: it is an artifact as soon as it exists.
        tags.extend(inner.run.tags(&launched.made, None));
        tags.extend(labels(key, label));
        tags.insert(MACHINE.into(), launched.facts.to_string());
        if is_clean {
            tags.insert(CLEAN.into(), "yes".into());
        }
        let what = format!("cannot take a snapshot of `{}`", label.node);
        let volume = launched.root_volume()?;
        let name = label.node.to_string();
        let answer = snapshot(&inner.aws, &inner.poller, volume, &name, &tags).await?;
        let answer = answer.map_err(|refusal| refusal.error(&what))?;
        let (facts, size) = (launched.facts.clone(), answer.volume_size.unwrap_or_default());
        let id = answer.snapshot_id.unwrap_or_default();
        inner.remember(&id, Layer { facts, is_clean, is_complete: false, size });
        self.cleaned = match complaint {
            None => Cleaned::No,
            Some(None) => Cleaned::As { snapshot: id.clone(), has_booted: false },
            Some(Some(complaint)) => Cleaned::Failed(complaint),
        };
        Ok(crate::index::artifact(&id))
    }

    async fn publish(
        mut self: Box<Self>,
        key: CacheKey,
        image: &Publish,
        output: Output<'_>,
    ) -> Result<Published, Error> {
        self.live()?;
        let cleaned = std::mem::replace(&mut self.cleaned, Cleaned::No);
        match self.live.take() {
            Some(live) => {
                let (inner, recipe) = (&self.inner, &self.recipe);
                Publication { inner, recipe, key, image, output }.publish(live, cleaned).await
            }
            None => Err(Error::environment("the machine is ended already")),
        }
    }

    async fn shell(&mut self) -> Result<(), Error> {
        self.cleaned = Cleaned::No;
        let machine = &mut self.live()?.machine;
        let ended = machine.shell(Path::new("/dev/tty")).await;
        ended.map(drop).map_err(crate::ssh::in_our_words)
    }

    async fn keep(mut self: Box<Self>) -> Result<String, Error> {
        self.live()?;
        match self.live.take() {
            Some(Live { launched, .. }) => launched.keep(&self.inner.kept),
            None => Err(Error::environment("the machine is ended already")),
        }
    }

    async fn close(mut self: Box<Self>) -> Result<(), Error> {
        match self.live.take() {
            Some(Live { launched, machine }) => {
                drop(machine);
                launched.end(&self.inner.aws, &self.inner.poller).await
            }
            None => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(live), Ok(runtime)) = (self.live.take(), tokio::runtime::Handle::try_current())
        {
            let inner = Arc::clone(&self.inner);
            // What is not done when the process ends stays in the journal.
            runtime.spawn(async move {
                let _stays_in_the_journal = live.launched.end(&inner.aws, &inner.poller).await;
            });
        }
    }
}

fn labels(key: CacheKey, label: &Label) -> tags::Tags {
    let name = label.node.to_string();
    let mut labels: tags::Tags = [
        (KEY, key.to_string()),
        (tags::IMAGE, tags::value(&label.node.image)),
        (tags::LAYER, tags::value(&label.node.layer)),
        (NAME, tags::value(&name)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(parent) = label.parent {
        labels.insert(PARENT.into(), parent.to_string());
    }
    labels
}
