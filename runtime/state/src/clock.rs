use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A moment on the clock of this machine's own that goes on while it sleeps: a lease is over then, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Self(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    /// How much later it is; nothing when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    #[cfg(test)]
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}
