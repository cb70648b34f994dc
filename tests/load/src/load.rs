use crate::address::Address;
use crate::answer::Answer;
use crate::connection::{Broken, Connection};
use crate::record::{Outcome, Record, Request};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many requests may wait for their answers at once; every second one of these keeps its connection.
const WORKERS: u32 = 32;

/// The text of one answer with a status of 200 to 399, on a new connection.
///
/// # Errors
/// When there is none.
pub fn get(address: &Address) -> io::Result<String> {
    let mut connection = Connection::open(address)?;
    let answer = connection.get(&address.request(false)).map_err(|broken| match broken {
        Broken::Failed(error) => error,
        Broken::Stale => io::ErrorKind::UnexpectedEof.into(),
    })?;
    match Seen::default().outcome(Ok(answer)) {
        Outcome::Answer(text) => Ok(text.as_ref().to_owned()),
        Outcome::Failed(why) => Err(io::Error::other(why)),
    }
}

/// Requests at a steady rate, whatever becomes of them.
#[derive(Debug, Clone)]
pub struct Load {
    address: Address,
    per_second: u32,
}

impl Load {
    /// So many requests each second.
    #[must_use]
    pub fn new(address: Address, per_second: u32) -> Self {
        Self { address, per_second: per_second.max(1) }
    }

    /// Begins. It goes on until it is stopped or dropped.
    #[must_use]
    pub fn start(self) -> Running {
        let shared = Arc::new(Shared {
            load: self,
            started: Instant::now(),
            seen: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = |number: u32| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.work(number))
        };
        let workers = (0..WORKERS).map(worker).collect();
        Running { shared, workers }
    }
}

/// A load that goes on.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    /// How long it has gone on: a moment to compare with [`Request::sent`].
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Waits for a request of which this is true, among those that ended and those that will. Whether there was one in
    /// this time.
    pub fn wait_for(&self, within: Duration, mut is: impl FnMut(&Request) -> bool) -> bool {
        let until = Instant::now() + within;
        let (mut seen, mut looked) = (self.shared.lock(), 0);
        loop {
            if seen.requests[looked..].iter().any(&mut is) {
                return true;
            }
            looked = seen.requests.len();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What there is so far.
    #[must_use]
    pub fn so_far(&self) -> Record {
        let seen = self.shared.lock();
        Record::new(seen.requests.clone(), seen.resent)
    }

    /// Sends no more, waits for the open ones, and gives everything.
    #[must_use]
    pub fn stop(mut self) -> Record {
        self.end();
        self.so_far()
    }

    fn end(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker has nothing to panic about.
            let _ = worker.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Debug)]
struct Shared {
    load: Load,
    started: Instant,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    resent: u64,
    /// Each text once: there are few, and many answers.
    texts: BTreeSet<Arc<str>>,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends each of the requests that are this worker's turn.
    fn work(&self, number: u32) {
        let keep = number % 2 == 1;
        let mut kept = None;
        let mut turn = number;
        while self.sleep_until(Duration::from_secs(turn.into()) / self.load.per_second) {
            let sent = self.started.elapsed();
            let (answer, resent) = self.send(&mut kept, keep);
            let took = self.started.elapsed().saturating_sub(sent);
            let mut seen = self.lock();
            seen.resent += u64::from(resent);
            let outcome = seen.outcome(answer);
            seen.requests.push(Request { sent, took, kept: keep, outcome });
            drop(seen);
            self.changed.notify_all();
            turn += WORKERS;
        }
    }

    /// One request, on the connection that was kept or on a new one; and whether it was sent twice.
    fn send(&self, kept: &mut Option<Connection>, keep: bool) -> (Result<Answer, io::Error>, bool) {
        let (address, request) = (&self.load.address, self.load.address.request(keep));
        let mut resent = false;
        if let Some(mut connection) = kept.take() {
            match connection.get(&request) {
                Ok(answer) => {
                    *kept = answer.keeps.then_some(connection);
                    return (Ok(answer), false);
                }
                Err(Broken::Stale) => resent = true,
                Err(Broken::Failed(error)) => return (Err(error), false),
            }
        }
        let mut connection = match Connection::open(address) {
            Ok(connection) => connection,
            Err(error) => return (Err(error), resent),
        };
        match connection.get(&request) {
            Ok(answer) => {
                *kept = (keep && answer.keeps).then_some(connection);
                (Ok(answer), resent)
            }
            Err(Broken::Failed(error)) => (Err(error), resent),
            // A new connection has nothing to be stale of.
            Err(Broken::Stale) => (Err(io::ErrorKind::UnexpectedEof.into()), resent),
        }
    }

    /// Whether to go on then.
    fn sleep_until(&self, moment: Duration) -> bool {
        let mut seen = self.lock();
        loop {
            if seen.stopped {
                return false;
            }
            let left = moment.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return true;
            }
            drop(seen);
            // Requests of others would wake it from a condition: at most this long does a stop wait for it.
            std::thread::sleep(left.min(Duration::from_millis(50)));
            seen = self.lock();
        }
    }
}

impl Seen {
    fn outcome(&mut self, answer: Result<Answer, io::Error>) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let text = String::from_utf8_lossy(&answer.body);
        if !(200..400).contains(&answer.status) {
            return Outcome::Failed(format!("status {}: {}", answer.status, text.trim()));
        }
        if let Some(known) = self.texts.get(text.as_ref()) {
            return Outcome::Answer(Arc::clone(known));
        }
        let text: Arc<str> = text.as_ref().into();
        self.texts.insert(Arc::clone(&text));
        Outcome::Answer(text)
    }
}
