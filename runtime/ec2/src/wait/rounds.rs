use super::seen::{Kind, Seen, read};
use crate::aws::{Aws, Refusal};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, watch};

/// Between two rounds: at first and at last. In between it is this part of the age of the youngest thing awaited:
/// what took 17 s is seen 0.7 s late on average, by some forty calls.
const SHORTEST: Duration = Duration::from_millis(150);
const LONGEST: Duration = Duration::from_secs(5);
const PART: u32 = 12;

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
        let youngest = awaited.objects.values().map(|object| object.since.elapsed()).min();
        awaited.is_running = youngest.is_some();
        // Machines that began to wait together must not ask together.
        let nanos = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.subsec_nanos());
        let jitter = 0.75 + f64::from(nanos % 1000) / 2000.0;
        Some((youngest? / PART).clamp(SHORTEST, LONGEST).mul_f64(jitter))
    }

    async fn round(&self) {
        let mut ids: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for (kind, id) in self.lock().objects.keys() {
            ids.entry(*kind).or_default().push(id.clone());
        }
        for (kind, ids) in ids {
            let answer = read(&self.aws, kind, &ids).await;
            if answer.as_ref().is_err_and(Refusal::is_passing) {
                continue;
            }
            let awaited = self.lock();
            for id in ids {
                let result = match &answer {
                    Ok(seen) => Ok(seen.get(&id).cloned().unwrap_or(Seen::Absent)),
                    Err(refusal) => Err(refusal.clone()),
                };
                if let Some(object) = awaited.objects.get(&(kind, id)) {
                    object.reads.send_replace(Some(Read { result }));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
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
