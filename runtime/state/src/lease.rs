//! Who has the right to change a deployment. It is over when its time is:
//!
//! - by the two times at which the place wrote the lease and, just now, `clock`; or
//! - by the clock of whoever waits, when they have seen it stand there unchanged for that long. Nothing else ends a lease
//!   from the future, which was written before the clock of the place was set back.
//!
//! Not ruled out: where that clock is set forward by more than a lease's time, the two times of the place say that a lease is over
//! whose holder lives. Until the holder's next renewal, due within a quarter of the time, somebody else can take it; with that
//! renewal the holder finds it lost, and until then two change the deployment. Else everybody had to watch a dead one's
//! lease for its whole time, though it ended days ago.

use crate::clock::Moment;
use crate::place::{Place, Put};
use crate::stored::Stored;
use crate::watch::Watch;
use crate::{begun, history, images};
use async_trait::async_trait;
use kiln_engine::Error;
use kiln_engine::driver::{HistoryEntry, Holder, Intent, Lease};
use kiln_engine::plan::ImageRecord;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;

/// How a try to take a lease ended.
pub(crate) enum Attempt {
    Taken(Box<Held>),
    /// Somebody has it, for so long at least unless they prolong it.
    Busy(Holder, Duration),
}

/// A lease that is prolonged until it is given back, dropped or lost.
pub(crate) struct Held {
    ours: Arc<Ours>,
    keeper: JoinHandle<()>,
}

struct Ours {
    place: Arc<dyn Place>,
    deployment: String,
    holder: Holder,
    time: Duration,
    /// What we have written last, and its version: one writing at a time.
    written: AsyncMutex<(Stored, String)>,
    standing: Mutex<Standing>,
}

#[derive(Debug, Clone)]
enum Standing {
    /// Ours since this moment; it began before that was written.
    Since(Moment),
    /// Somebody else's: who, as far as it is known.
    Lost(Option<Holder>),
}

/// How much older a lease is taken to be than its time: places tell times in whole seconds.
const GRAIN: Duration = Duration::from_secs(1);

impl Held {
    /// Takes a lease if nobody has it, or its time is over. `watch`: what this waiter has seen of it before.
    pub(crate) async fn take(
        place: &Arc<dyn Place>,
        deployment: &str,
        holder: &Holder,
        time: Duration,
        watch: &mut Watch,
    ) -> Result<Attempt, Error> {
        let path = path(deployment);
        loop {
            let began = Moment::now();
            let there = place.get(&path).await?;
            let answered = Moment::now();
            let (stored, version) = match &there {
                None => (Stored::nothing(), None),
                Some(object) => {
                    let name = format!("{}/{path}", place.name());
                    (Stored::parse(&object.bytes, &name)?, Some(object.version.as_str()))
                }
            };
            if let (Some(other), Some(object)) = (&stored.holder, &there) {
                let stood = watch.stood(&object.version, began, answered);
                let clock = format!("{deployment}/clock");
                let now = place.touch(&clock, holder.run.clone().into_bytes()).await?;
                // One from the future has no age there.
                let age = now.duration_since(object.modified).unwrap_or_default().max(stood);
                let ends = Duration::from_millis(stored.time_ms) + GRAIN;
                if age < ends {
                    return Ok(Attempt::Busy(other.clone(), ends - age));
                }
            }
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let next = stored.next(Some(holder.clone()), ms);
            match place.put(&path, next.bytes()?, version).await? {
                // Somebody was quicker: look who.
                Put::Conflict => continue,
                Put::Done(version) => {
                    let ours = Arc::new(Ours {
                        place: Arc::clone(place),
                        deployment: deployment.to_owned(),
                        holder: holder.clone(),
                        time,
                        written: AsyncMutex::new((next, version)),
                        standing: Mutex::new(Standing::Since(began)),
                    });
                    let keeper = tokio::spawn(keep(Arc::clone(&ours)));
                    return Ok(Attempt::Taken(Box::new(Self { ours, keeper })));
                }
            }
        }
    }
}

/// Prolongs a lease, four times as often as needed.
async fn keep(ours: Arc<Ours>) {
    loop {
        tokio::time::sleep(ours.time / 4).await;
        // What cannot be written now may be in a moment; when it is too late, `check` says so by itself.
        let _ = ours.write(|stored| stored).await;
        if ours.check().is_err() {
            return;
        }
    }
}

impl Ours {
    /// Writes the lease again, changed.
    async fn write(&self, change: impl FnOnce(Stored) -> Stored) -> Result<(), Error> {
        let mut written = self.written.lock().await;
        self.check()?;
        let began = Moment::now();
        let (stored, version) = &*written;
        let next = change(stored.next(Some(self.holder.clone()), stored.time_ms));
        let put = self.place.put(&path(&self.deployment), next.bytes()?, Some(version)).await?;
        match put {
            Put::Done(version) => {
                *written = (next, version);
                self.stands(Standing::Since(began));
                Ok(())
            }
            Put::Conflict => {
                let there = self.place.get(&path(&self.deployment)).await?;
                let parsed = there.as_ref().map(|object| Stored::parse(&object.bytes, ""));
                // An earlier try of ours that was thought to have failed.
                if let (Some(object), Some(Ok(stored))) = (&there, &parsed)
                    && stored.holder.as_ref() == Some(&self.holder)
                {
                    *written = (stored.clone(), object.version.clone());
                    return Err(Error::environment("the lease was written twice"));
                }
                let other = parsed.and_then(Result::ok).and_then(|stored| stored.holder);
                self.stands(Standing::Lost(other));
                self.check()
            }
        }
    }

    /// Likewise, once more where an earlier try turns out to have been written.
    async fn write_surely(&self, change: impl Fn(Stored) -> Stored) -> Result<(), Error> {
        match self.write(&change).await {
            Err(_) if self.check().is_ok() => self.write(&change).await,
            done => done,
        }
    }

    fn stands(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    fn check(&self) -> Result<(), Error> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let who = match standing {
            Standing::Since(moment) if moment.elapsed() < self.time => return Ok(()),
            Standing::Since(_) => "its time was over before it could be prolonged".to_owned(),
            Standing::Lost(None) => "its time was over, and somebody has taken it".to_owned(),
            Standing::Lost(Some(Holder { who, command, .. })) => {
                format!("its time was over, and {who} has it, for `{command}`")
            }
        };
        Err(Error::environment(format!("the lease of `{}` was lost: {who}", self.deployment))
            .help("nothing more is changed; deploy again: it goes on from what is there"))
    }
}

#[async_trait]
impl Lease for Held {
    async fn intent(&self) -> Result<Option<Intent>, Error> {
        Ok(self.ours.written.lock().await.0.intent.clone())
    }

    async fn intend(&self, intent: Option<&Intent>) -> Result<(), Error> {
        let place = self.ours.place.as_ref();
        let deployment = &self.ours.deployment;
        let before = self.intent().await?;
        if let Some(intent) = intent {
            self.check()?;
            begun::mark(place, deployment, intent).await?;
        }
        self.ours.write_surely(|stored| Stored { intent: intent.cloned(), ..stored }).await?;
        match before {
            Some(before) if intent.is_none_or(|now| now.holder.run != before.holder.run) => {
                begun::clear(place, deployment, &before).await
            }
            _ => Ok(()),
        }
    }

    async fn record(&self, entry: &HistoryEntry) -> Result<(), Error> {
        self.check()?;
        history::append(self.ours.place.as_ref(), &self.ours.deployment, entry).await
    }

    async fn keep(&self, key: &str, image: &ImageRecord) -> Result<(), Error> {
        self.check()?;
        images::keep(self.ours.place.as_ref(), key, image).await
    }

    fn check(&self) -> Result<(), Error> {
        self.ours.check()
    }

    async fn lost(&self) {
        // Asked, not awaited: a clock that goes on in sleep wakes nobody.
        while self.check().is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn release(self: Box<Self>) -> Result<(), Error> {
        self.keeper.abort();
        self.ours.write_surely(|stored| Stored { holder: None, ..stored }).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

fn path(deployment: &str) -> String {
    format!("{deployment}/lease.json")
}
