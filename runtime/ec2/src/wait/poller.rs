use super::rounds::Rounds;
use super::seen::{Kind, Seen};
use crate::aws::{Aws, Refusal};
use kiln_engine::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long something that was just made may stay out of sight of reads.
const VISIBLE_WITHIN: Duration = Duration::from_secs(300);

/// How many reads in a row must not show what was shown before, until it is believed to be gone.
const AGREEING: u32 = 3;

/// Whether a wait ends when the user asks to stop. What cleans up goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heed {
    Interruption,
    Nothing,
}

/// What a look at an object means for one that waits.
#[derive(Debug)]
pub(crate) enum Verdict<T> {
    Wait,
    Done(T),
    Failed(Refusal),
}

/// Waits for objects of one region.
#[derive(Debug, Clone)]
pub(crate) struct Poller {
    rounds: Arc<Rounds>,
    interrupted: watch::Receiver<bool>,
}

impl Poller {
    pub(crate) fn new(aws: Aws, interrupted: watch::Receiver<bool>) -> Self {
        Self { rounds: Arc::new(Rounds::new(aws)), interrupted }
    }

    /// Ends when the user asks to stop; never, if nobody can ask any more.
    pub(crate) async fn interruption(&self) {
        let mut interrupted = self.interrupted.clone();
        if interrupted.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for an object until `judge` has seen enough of it. `judge` gets [`Seen::Absent`] only once the
    /// object is believed to be gone.
    ///
    /// # Errors
    /// When `judge` says that it failed, when EC2 refuses to say, after `within`, or when the user asks to
    /// stop and that is heeded.
    pub(crate) async fn until<T>(
        &self,
        (kind, id): (Kind, &str),
        within: Duration,
        heed: Heed,
        judge: impl Fn(&Seen) -> Verdict<T>,
    ) -> Result<T, Error> {
        let interruption = async {
            match heed {
                Heed::Interruption => self.interruption().await,
                Heed::Nothing => std::future::pending().await,
            }
        };
        let what = format!("{} `{id}`", kind.word());
        tokio::select! {
            biased;
            () = interruption => Err(Error::interrupted()),
            done = self.watch(kind, id, judge) => {
                done.map_err(|refusal| refusal.error(&format!("cannot go on with {what}")))
            }
            () = tokio::time::sleep(within) => Err(Error::environment(format!(
                "{what} is not ready after {} minutes",
                within.as_secs() / 60
            ))
            .help("look at it in the account's console; what has been baked is kept")),
        }
    }

    async fn watch<T>(
        &self,
        kind: Kind,
        id: &str,
        judge: impl Fn(&Seen) -> Verdict<T>,
    ) -> Result<T, Refusal> {
        let mut waiter = self.rounds.join(kind, id);
        let begun = Instant::now();
        let (mut was_seen, mut absent) = (false, 0);
        loop {
            if waiter.reads.changed().await.is_err() {
                return Err(Refusal::of("", "nobody reads its state any more"));
            }
            let Some(read) = waiter.reads.borrow_and_update().clone() else { continue };
            let seen = read.result?;
            if matches!(seen, Seen::Absent) {
                absent += 1;
                let is_gone = absent >= AGREEING && was_seen;
                if !is_gone && begun.elapsed() < VISIBLE_WITHIN {
                    continue;
                }
            } else {
                (was_seen, absent) = (true, 0);
            }
            match judge(&seen) {
                Verdict::Wait => {}
                Verdict::Done(value) => return Ok(value),
                Verdict::Failed(refusal) => return Err(refusal),
            }
        }
    }
}
