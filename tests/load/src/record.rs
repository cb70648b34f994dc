use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One request, and what became of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it was sent, since the load began.
    pub sent: Duration,
    /// How long the answer, or giving up, took.
    pub took: Duration,
    /// Whether it came on a connection that is kept.
    pub kept: bool,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With a status of 200 to 399, and this text.
    Answer(Arc<str>),
    /// Otherwise: another status with its text, or no answer.
    Failed(String),
}

impl Request {
    /// The text of its answer; `None`: it failed.
    #[must_use]
    pub fn answer(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Answer(text) => Some(text),
            Outcome::Failed(_) => None,
        }
    }
}

/// All requests of a load, in the order in which they ended.
#[derive(Debug, Clone, Default)]
pub struct Record {
    requests: Vec<Request>,
    resent: u64,
}

impl Record {
    pub(crate) fn new(requests: Vec<Request>, resent: u64) -> Self {
        Self { requests, resent }
    }

    /// How many requests there were.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.requests.len()
    }

    /// How many were sent a second time, because a connection that was kept had just been closed. They count once.
    #[must_use]
    pub fn resent(&self) -> u64 {
        self.resent
    }

    /// When those that failed were sent, and why they did.
    #[must_use]
    pub fn failures(&self) -> Vec<(Duration, &str)> {
        let failed = self.requests.iter().filter_map(|request| match &request.outcome {
            Outcome::Failed(why) => Some((request.sent, why.as_str())),
            Outcome::Answer(_) => None,
        });
        failed.collect()
    }

    /// How many answers of each text there were, to requests sent from then on.
    #[must_use]
    pub fn answers_since(&self, moment: Duration) -> BTreeMap<&str, usize> {
        let mut counted = BTreeMap::new();
        let since = self.requests.iter().filter(|request| request.sent >= moment);
        for text in since.filter_map(Request::answer) {
            *counted.entry(text).or_default() += 1;
        }
        counted
    }

    /// Requests from one moment to before another, as they were sent.
    pub fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.sent >= from && request.sent < to)
    }

    /// The time within which this part of the answers came: 0.5 is the median. Zero when there were none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        let answered = self.requests.iter().filter(|request| request.answer().is_some());
        let mut times: Vec<Duration> = answered.map(|request| request.took).collect();
        times.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list that fits into memory"
        )]
        let at = (times.len() as f64 * part) as usize;
        times.get(at).or(times.last()).copied().unwrap_or_default()
    }
}
