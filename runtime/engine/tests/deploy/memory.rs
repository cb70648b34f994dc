//! A state in memory, with leases and a clock that only the tests move.

use crate::world::World;
use async_trait::async_trait;
use kiln_engine::Error;
use kiln_engine::driver::{HistoryEntry, Holder, Intent, Lease, NotYours, State};
use kiln_engine::plan::ImageRecord;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// For how long a lease is given: seconds.
const LEASE: u64 = 60;

#[derive(Default)]
pub struct Written {
    pub clock: u64,
    pub leases: BTreeMap<String, (Holder, u64)>,
    pub intents: BTreeMap<String, Intent>,
    pub histories: BTreeMap<String, Vec<HistoryEntry>>,
    pub images: BTreeMap<String, ImageRecord>,
}

#[derive(Clone)]
pub struct Memory {
    world: World,
    written: Arc<Mutex<Written>>,
}

struct Held {
    memory: Memory,
    deployment: String,
    run: String,
}

impl Memory {
    pub fn of(world: &World) -> Self {
        Self { world: world.clone(), written: Arc::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap()
    }

    /// So long that every lease has ended.
    pub fn later(&self) {
        self.lock().clock += LEASE + 1;
    }

    async fn call(&self, what: &str) -> Result<bool, Error> {
        self.world.call(what.to_owned()).await
    }
}

#[async_trait]
impl State for Memory {
    async fn lease(
        &self,
        deployment: &str,
        holder: &Holder,
        _: Duration,
    ) -> Result<Box<dyn Lease>, NotYours> {
        let dies = self.call("lease").await.map_err(NotYours::Failed)?;
        {
            let mut written = self.lock();
            let now = written.clock;
            let held = written.leases.get(deployment).filter(|(_, until)| *until > now).cloned();
            if let Some((holder, until)) = held {
                return Err(NotYours::Held { holder, until });
            }
            written.leases.insert(deployment.to_owned(), (holder.clone(), now + LEASE));
        }
        self.world.called(dies).await;
        let (memory, run) = (self.clone(), holder.run.clone());
        Ok(Box::new(Held { memory, deployment: deployment.to_owned(), run }))
    }

    async fn history(&self, deployment: &str) -> Result<Vec<HistoryEntry>, Error> {
        let dies = self.call("history").await?;
        let history = self.lock().histories.get(deployment).cloned();
        self.world.called(dies).await;
        Ok(history.unwrap_or_default())
    }

    async fn image(&self, key: &str) -> Result<Option<ImageRecord>, Error> {
        Ok(self.lock().images.get(key).cloned())
    }

    async fn intents(&self) -> Result<BTreeMap<String, Intent>, Error> {
        Ok(self.lock().intents.clone())
    }
}

#[async_trait]
impl Lease for Held {
    async fn intent(&self) -> Result<Option<Intent>, Error> {
        let dies = self.memory.call("read intent").await?;
        let intent = self.memory.lock().intents.get(&self.deployment).cloned();
        self.memory.world.called(dies).await;
        Ok(intent)
    }

    async fn intend(&self, intent: Option<&Intent>) -> Result<(), Error> {
        self.check()?;
        let dies = self.memory.call("intend").await?;
        self.check()?;
        let name = self.deployment.clone();
        match intent {
            Some(intent) => drop(self.memory.lock().intents.insert(name, intent.clone())),
            None => drop(self.memory.lock().intents.remove(&name)),
        }
        self.memory.world.called(dies).await;
        Ok(())
    }

    async fn record(&self, entry: &HistoryEntry) -> Result<(), Error> {
        self.check()?;
        let dies = self.memory.call("record").await?;
        self.check()?;
        let name = self.deployment.clone();
        self.memory.lock().histories.entry(name).or_default().push(entry.clone());
        self.memory.world.called(dies).await;
        Ok(())
    }

    async fn keep(&self, key: &str, image: &ImageRecord) -> Result<(), Error> {
        self.check()?;
        let dies = self.memory.call("keep").await?;
        self.memory.lock().images.insert(key.to_owned(), image.clone());
        self.memory.world.called(dies).await;
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let written = self.memory.lock();
        let taken = self.memory.world.lock().lease_was_taken;
        let mine = written
            .leases
            .get(&self.deployment)
            .is_some_and(|(holder, until)| holder.run == self.run && *until > written.clock);
        if mine && !taken { Ok(()) } else { Err(Error::environment("the lease was lost")) }
    }

    async fn lost(&self) {
        // Looked at whenever anything else goes on.
        std::future::poll_fn(|_| match self.check() {
            Err(_) => std::task::Poll::Ready(()),
            Ok(()) => std::task::Poll::Pending,
        })
        .await;
    }

    async fn release(self: Box<Self>) -> Result<(), Error> {
        self.memory.lock().leases.remove(&self.deployment);
        Ok(())
    }
}
