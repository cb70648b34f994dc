//! How long to wait between two tries.

use rand::RngExt;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Growing pauses with jitter: many machines that are waited for at once are not asked in step.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause: within a quarter of 0.1 s, then of half as much again each time, up to 2 s.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(rand::rng().random_range(0.75..1.25));
        self.0 = self.0.mul_f64(1.5).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();
        assert!(pauses[0] < Duration::from_millis(130));
        assert!(
            pauses[20..].iter().all(|p| *p > LONGEST.mul_f64(0.7) && *p < LONGEST.mul_f64(1.3))
        );
        assert!(pauses[20..].windows(2).any(|pair| pair[0] != pair[1]));
    }
}
