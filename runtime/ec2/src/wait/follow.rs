use super::rounds::Waiter;
use super::seen::Seen;
use crate::aws::Refusal;
use std::time::{Duration, Instant};

/// How long something that was just made may stay out of sight of reads.
const VISIBLE_WITHIN: Duration = Duration::from_secs(300);

/// How many reads in a row must not show what was shown before, until it is believed to be gone.
const AGREEING: u32 = 3;

/// Looks at one object, as often as the poller does.
pub(crate) struct Follower {
    waiter: Waiter,
    begun: Instant,
    was_seen: bool,
    absent: u32,
}

impl Follower {
    pub(super) fn new(waiter: Waiter) -> Self {
        Self { waiter, begun: Instant::now(), was_seen: false, absent: 0 }
    }

    /// For something that reads have shown before: it is gone as soon as several agree.
    pub(crate) fn of_known(mut self) -> Self {
        self.was_seen = true;
        self
    }

    /// The last look that nobody has taken yet.
    ///
    /// # Errors
    /// When EC2 refused to say.
    pub(crate) fn latest(&mut self) -> Result<Option<Seen>, Refusal> {
        if !self.waiter.reads.has_changed().unwrap_or(false) {
            return Ok(None);
        }
        let read = self.waiter.reads.borrow_and_update().clone();
        read.map(|read| read.result).transpose()
    }

    /// The next look. [`Seen::Absent`] only comes once the object is believed to be gone. May be dropped before it
    /// ends: no look is lost.
    ///
    /// # Errors
    /// When EC2 refuses to say.
    pub(crate) async fn next(&mut self) -> Result<Seen, Refusal> {
        loop {
            if self.waiter.reads.changed().await.is_err() {
                return Err(Refusal::of("", "nobody reads its state any more"));
            }
            let Some(read) = self.waiter.reads.borrow_and_update().clone() else { continue };
            let seen = read.result?;
            if !matches!(seen, Seen::Absent) {
                (self.was_seen, self.absent) = (true, 0);
                return Ok(seen);
            }
            self.absent += 1;
            let is_gone = self.absent >= AGREEING && self.was_seen;
            if is_gone || self.begun.elapsed() >= VISIBLE_WITHIN {
                return Ok(seen);
            }
        }
    }
}
