//! How servers are replaced: what `strategy` takes.

use super::Strategy;
use crate::{Origin, Problems};
use kiln_rules as rules;

/// All new servers beside the old ones; when all are healthy the traffic moves. See [`red_black`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedBlack {
    keep_previous: u32,
}

/// A few servers at a time. See [`rolling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    step: u32,
}

/// Starts all new servers beside the old ones, moves the traffic when all are healthy, and keeps the old ones running
/// without it, for a rollback that takes effect at once.
///
/// ```
/// # use kiln::prelude::*;
/// let strategy = strategy::red_black().keep_previous(2);
/// ```
#[must_use]
pub fn red_black() -> RedBlack {
    RedBlack { keep_previous: 1 }
}

/// Starts a few new servers and lets traffic reach them when they are healthy, then ends as many old ones, until none
/// is left.
///
/// ```
/// # use kiln::prelude::*;
/// let strategy = strategy::rolling().step(2);
/// ```
#[must_use]
pub fn rolling() -> Rolling {
    Rolling { step: 1 }
}

impl RedBlack {
    /// How many generations go on running without traffic, 0 to 10: 1 unless told. The servers of each cost.
    #[must_use]
    pub fn keep_previous(mut self, generations: u32) -> Self {
        self.keep_previous = generations;
        self
    }
}

impl Rolling {
    /// How many servers at a time: 1 unless told.
    #[must_use]
    pub fn step(mut self, servers: u32) -> Self {
        self.step = servers;
        self
    }
}

impl From<RedBlack> for Strategy {
    fn from(RedBlack { keep_previous }: RedBlack) -> Self {
        Self::RedBlack { keep_previous }
    }
}

impl From<Rolling> for Strategy {
    fn from(Rolling { step }: Rolling) -> Self {
        Self::Rolling { step }
    }
}

impl Default for Strategy {
    fn default() -> Self {
        red_black().into()
    }
}

impl Strategy {
    pub(super) fn check(self, origin: &Origin, problems: &mut Problems) {
        let outcome = match self {
            Self::RedBlack { keep_previous } => rules::keep_previous(keep_previous.into()),
            Self::Rolling { step } => rules::step(step.into()),
        };
        problems.check(origin, outcome);
    }
}
