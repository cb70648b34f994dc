use super::follow::Follower;
use super::rounds::Rounds;
use super::seen::{Kind, Seen};
use crate::aws::{Aws, Refusal};
use kiln_engine::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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

    /// The same one, for somebody who is interrupted by somebody else.
    pub(crate) fn for_another(&self, interrupted: watch::Receiver<bool>) -> Self {
        Self { rounds: Arc::clone(&self.rounds), interrupted }
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

    /// Follows an object, look by look.
    pub(crate) fn follow(&self, kind: Kind, id: &str) -> Follower {
        Follower::new(self.rounds.join(kind, id))
    }

    async fn watch<T>(
        &self,
        kind: Kind,
        id: &str,
        judge: impl Fn(&Seen) -> Verdict<T>,
    ) -> Result<T, Refusal> {
        let mut follower = self.follow(kind, id);
        loop {
            match judge(&follower.next().await?) {
                Verdict::Wait => {}
                Verdict::Done(value) => return Ok(value),
                Verdict::Failed(refusal) => return Err(refusal),
            }
        }
    }
}
