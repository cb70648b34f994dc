use super::pace;
use super::seen::{Kind, Seen, read};
use crate::aws::{Aws, Refusal};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// One read of one object.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) result: Result<Seen, Refusal>,
}

/// Everything that is awaited, read in rounds by one task that lives as long as somebody waits.
#[derive(Debug)]
pub(super) struct Rounds {
    aws: Aws,
    awaited: Mutex<Awaited>,
    joined: Notify,
}

#[derive(Debug, Default)]
struct Awaited {
    objects: BTreeMap<(Kind, String), Object>,
    is_running: bool,
}

#[derive(Debug)]
struct Object {
    /// When it was first awaited; later where there was news of its servers.
    since: Instant,
    waiters: usize,
    reads: watch::Sender<Option<Read>>,
}

/// One that waits for an object. It is no longer read when the last of them is dropped.
pub(super) struct Waiter {
    rounds: Arc<Rounds>,
    key: (Kind, String),
    pub(super) reads: watch::Receiver<Option<Read>>,
}

impl Rounds {
    pub(super) fn new(aws: Aws) -> Self {
        Self { aws, awaited: Mutex::default(), joined: Notify::new() }
    }

    /// Joins those that wait.
    pub(super) fn join(self: &Arc<Self>, kind: Kind, id: &str) -> Waiter {
        let key = (kind, id.to_owned());
        let mut awaited = self.lock();
        let object = awaited.objects.entry(key.clone()).or_insert_with(|| Object {
            since: Instant::now(),
            waiters: 0,
            reads: watch::channel(None).0,
        });
        object.waiters += 1;
        let reads = object.reads.subscribe();
        if !awaited.is_running {
            awaited.is_running = true;
            tokio::spawn(Arc::clone(self).run());
        }
        drop(awaited);
        self.joined.notify_one();
        Waiter { rounds: Arc::clone(self), key, reads }
    }

    async fn run(self: Arc<Self>) {
        while let Some(pause) = self.pause() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // The pause is that of the youngest: one that joins has it computed anew.
                () = self.joined.notified() => continue,
            }
            self.round().await;
        }
    }

    /// How long until the next round; `None`: nobody waits, and this task ends.
    fn pause(&self) -> Option<Duration> {
        let mut awaited = self.lock();
        let ages =
            awaited.objects.iter().map(|((kind, _), object)| (*kind, object.since.elapsed()));
        let pause = pace::pause(ages);
        awaited.is_running = pause.is_some();
        // Machines that began to wait together must not ask together.
        let nanos = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.subsec_nanos());
        let jitter = 0.75 + f64::from(nanos % 1000) / 2000.0;
        Some(pause?.mul_f64(jitter))
    }

    async fn round(&self) {
        let mut ids: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for (kind, id) in self.lock().objects.keys() {
            ids.entry(*kind).or_default().push(id.clone());
        }
        let mut reads = JoinSet::new();
        for (kind, ids) in ids {
            let aws = self.aws.clone();
            reads.spawn(async move { (read(&aws, kind, &ids).await, kind, ids) });
        }
        while let Some(done) = reads.join_next().await {
            let Ok((answer, kind, ids)) = done else { continue };
            if !answer.as_ref().is_err_and(Refusal::is_passing) {
                self.tell(kind, ids, &answer);
            }
        }
    }

    /// Hands an answer on to those that wait for what is in it, or is not.
    fn tell(&self, kind: Kind, ids: Vec<String>, answer: &Result<BTreeMap<String, Seen>, Refusal>) {
        let mut awaited = self.lock();
        for id in ids {
            let result = match answer {
                Ok(seen) => Ok(seen.get(&id).cloned().unwrap_or(Seen::Absent)),
                Err(refusal) => Err(refusal.clone()),
            };
            if let Some(object) = awaited.objects.get_mut(&(kind, id)) {
                let before = object.reads.send_replace(Some(Read { result: result.clone() }));
                if before.is_some_and(|before| is_news(&before.result, &result)) {
                    object.since = Instant::now() - pace::after_news(object.since.elapsed());
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether servers are not as they were.
fn is_news(before: &Result<Seen, Refusal>, now: &Result<Seen, Refusal>) -> bool {
    match (before, now) {
        (Ok(Seen::Group(before)), Ok(Seen::Group(now))) => before.servers().ne(now.servers()),
        (Ok(Seen::Targets(before)), Ok(Seen::Targets(now))) => before != now,
        _ => false,
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut awaited = self.rounds.lock();
        if let Some(object) = awaited.objects.get_mut(&self.key) {
            object.waiters -= 1;
            if object.waiters == 0 {
                awaited.objects.remove(&self.key);
            }
        }
    }
}
