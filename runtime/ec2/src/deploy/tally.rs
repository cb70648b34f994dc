use super::ask::Asked;
use kiln::Health;
use std::time::{Duration, Instant};

/// Between two times that a server is asked which has not passed yet: at first, and at last. In between it is this part
/// of the time since it runs. A connection that is refused costs neither side anything, and every second that a server
/// is ready unseen is one more in which the old version answers.
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(1);
const PART: u32 = 25;

/// How long a server that runs may be out of reach before it counts as one that cannot be asked from here. One that boots
/// does not answer either.
const BOOTS_WITHIN: Duration = Duration::from_secs(60);

/// Likewise where its load balancer tells later: nothing is lost by attaching it while it boots.
const TOLD_LATER_WITHIN: Duration = Duration::from_secs(10);

/// What our own checks say of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Healthy,
    Unhealthy(String),
    NotYet,
    /// There is no way to it from here, or something between drops what is sent.
    NotAskable,
}

/// How often, and how many answers say something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Between two times that a server is asked which has passed once.
    interval: Duration,
    /// Answers in a row that make a server healthy that never was.
    first: u32,
    /// Likewise one that has been.
    again: u32,
    /// Answers in a row that make it unhealthy.
    unhealthy: u32,
    /// How long it may be out of reach.
    patience: Duration,
}

impl Terms {
    /// Those of a deployment, and of a load balancer that will ask too before it forwards.
    pub(super) fn of(health: &Health, is_told_later: bool) -> Self {
        Self {
            interval: Duration::from_millis(health.interval_ms).max(SOONEST),
            // What a load balancer takes for healthy is what decides then: one answer shows that it is worth its while.
            first: if is_told_later { 1 } else { health.healthy },
            again: health.healthy,
            unhealthy: health.unhealthy,
            patience: if is_told_later { TOLD_LATER_WITHIN } else { BOOTS_WITHIN },
        }
    }
}

/// What came of asking one server, again and again.
#[derive(Debug)]
pub(super) struct Tally {
    since: Instant,
    /// When it was asked last.
    at: Instant,
    in_a_row: u32,
    last: Option<Asked>,
    has_answered: bool,
    was_healthy: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Healthy,
    Unhealthy(String),
}

impl Tally {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            at: now,
            in_a_row: 0,
            last: None,
            has_answered: false,
            was_healthy: false,
            state: State::New,
        }
    }

    /// Counts one time more.
    pub(super) fn add(&mut self, asked: Asked, terms: Terms) {
        // One that has answered once can be asked: silence is a failure from then on.
        let asked = match asked {
            Asked::OutOfReach if self.has_answered => {
                Asked::Failed("it does not answer any more".into())
            }
            asked => asked,
        };
        self.has_answered |= asked != Asked::OutOfReach;
        let is_same = self
            .last
            .as_ref()
            .is_some_and(|last| std::mem::discriminant(last) == std::mem::discriminant(&asked));
        self.in_a_row = if is_same { self.in_a_row.saturating_add(1) } else { 1 };
        let passes = if self.was_healthy { terms.again } else { terms.first };
        match &asked {
            Asked::Passed if self.in_a_row >= passes => {
                (self.state, self.was_healthy) = (State::Healthy, true);
            }
            Asked::Failed(why) if self.in_a_row >= terms.unhealthy => {
                self.state = State::Unhealthy(why.clone());
            }
            _ => {}
        }
        (self.last, self.at) = (Some(asked), Instant::now());
    }

    /// What is known of it.
    pub(super) fn told(&self, terms: Terms) -> Told {
        match (&self.state, &self.last) {
            (State::Healthy, _) => Told::Healthy,
            (State::Unhealthy(why), _) => Told::Unhealthy(why.clone()),
            (State::New, Some(Asked::OutOfReach)) if self.since.elapsed() >= terms.patience => {
                Told::NotAskable
            }
            (State::New, _) => Told::NotYet,
        }
    }

    /// Whether asking it a little longer would not say more: it has not answered at all, or often enough.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.state, State::New) || self.last == Some(Asked::OutOfReach)
    }

    /// Whether what it says is of today: it was asked when it was to be asked.
    pub(super) fn is_current(&self, terms: Terms) -> bool {
        self.at.elapsed() < 2 * terms.interval
    }

    /// How long until it is asked again.
    pub(super) fn pause(&self, terms: Terms) -> Duration {
        let soon = match self.last {
            _ if self.was_healthy => return terms.interval,
            Some(Asked::Passed) => LATEST,
            _ => (self.since.elapsed() / PART).clamp(SOONEST, LATEST),
        };
        soon.min(terms.interval)
    }
}

#[cfg(test)]
mod tests;
