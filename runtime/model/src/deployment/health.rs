//! How a healthy server is told: what `health` takes.

use super::{Health, HealthCheck, port};
use crate::{Origin, Problems};
use kiln_rules::{self as rules, Fault};
use std::time::Duration;

/// A health check, as a recipe says it. See [`http`] and [`tcp`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<K> {
    kind: K,
    origin: Origin,
    port: Option<u16>,
    interval: Option<String>,
    timeout: Option<String>,
    healthy: u32,
    unhealthy: u32,
    within: String,
    soak: Option<String>,
}

/// A GET that is answered. See [`http`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    path: String,
    status: u16,
}

/// A connection that is accepted. See [`tcp`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp;

/// Any of the kinds of checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// See [`http`].
    Http(Http),
    /// See [`tcp`].
    Tcp,
}

/// A server is healthy while it answers a GET of `/` with status 200.
///
/// ```
/// # use kiln::prelude::*;
/// let health = health::http().port(80).path("/healthz").interval("5s").soak("30s");
/// ```
#[track_caller]
#[must_use]
pub fn http() -> Check<Http> {
    Check::new(Http { path: "/".into(), status: 200 })
}

/// A server is healthy while it accepts connections.
///
/// ```
/// # use kiln::prelude::*;
/// let health = health::tcp().port(5432);
/// ```
#[track_caller]
#[must_use]
pub fn tcp() -> Check<Tcp> {
    Check::new(Tcp)
}

impl Check<Http> {
    /// The path that is asked for: `/` unless told.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.kind.path = path.into();
        self
    }

    /// The status of the answer, 200 to 499: 200 unless told.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.kind.status = status;
        self
    }
}

impl<K> Check<K> {
    #[track_caller]
    fn new(kind: K) -> Self {
        Self {
            kind,
            origin: Origin::caller(),
            port: None,
            interval: None,
            timeout: None,
            healthy: 2,
            unhealthy: 2,
            within: "5m".into(),
            soak: None,
        }
    }

    /// The port that is asked, one of the deployment's `ports`. Where that declares a single one, that one unless told.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The time between two checks, in whole seconds, 5 s to 5 m: `"10s"` unless told.
    #[must_use]
    pub fn interval(mut self, duration: impl Into<String>) -> Self {
        self.interval = Some(duration.into());
        self
    }

    /// The time that a check may take, in whole seconds, 2 s to 2 m, shorter than the interval: `"5s"` unless told, or
    /// about half of an interval that is shorter than 10 s.
    #[must_use]
    pub fn timeout(mut self, duration: impl Into<String>) -> Self {
        self.timeout = Some(duration.into());
        self
    }

    /// How many checks in a row must pass before a server counts as healthy, 2 to 10: 2 unless told.
    #[must_use]
    pub fn healthy(mut self, checks: u32) -> Self {
        self.healthy = checks;
        self
    }

    /// How many checks in a row must fail before a server counts as not healthy, 2 to 10: 2 unless told.
    #[must_use]
    pub fn unhealthy(mut self, checks: u32) -> Self {
        self.unhealthy = checks;
        self
    }

    /// The time within which all servers of a new generation must be healthy: `"5m"` unless told.
    #[must_use]
    pub fn within(mut self, duration: impl Into<String>) -> Self {
        self.within = duration.into();
        self
    }

    /// The time for which they must stay healthy before the old generation goes: none unless told.
    #[must_use]
    pub fn soak(mut self, duration: impl Into<String>) -> Self {
        self.soak = Some(duration.into());
        self
    }

    fn map<L>(self, kind: impl FnOnce(K) -> L) -> Check<L> {
        let Self { kind: from, origin, port, interval, timeout, healthy, unhealthy, within, soak } =
            self;
        let kind = kind(from);
        Check { kind, origin, port, interval, timeout, healthy, unhealthy, within, soak }
    }
}

impl From<Check<Http>> for Check<Kind> {
    fn from(check: Check<Http>) -> Self {
        check.map(Kind::Http)
    }
}

impl From<Check<Tcp>> for Check<Kind> {
    fn from(check: Check<Tcp>) -> Self {
        check.map(|Tcp| Kind::Tcp)
    }
}

impl Check<Kind> {
    /// What it says, with what it leaves unsaid. `ports` are the deployment's.
    pub(super) fn into_node(self, ports: &[u16], problems: &mut Problems) -> Health {
        let Self { kind, origin, port, interval, timeout, healthy, unhealthy, within, soak } = self;
        let port = port::choose("the health check", port, ports, &origin, problems);
        let mut time = |text: Option<String>, rule: fn(&str) -> Result<Duration, Fault>| {
            text.and_then(|text| problems.check(&origin, rule(&text)))
        };
        let said = interval.is_some();
        let interval = time(interval, rules::health_interval);
        let comparable = interval.is_some() || !said;
        let interval = interval.unwrap_or(rules::DEFAULT_INTERVAL);
        let timeout = time(timeout, rules::health_timeout);
        let within = time(Some(within), rules::duration).unwrap_or_default();
        let soak = time(soak, rules::duration_or_none).unwrap_or_default();
        let timeout = timeout.unwrap_or_else(|| rules::default_timeout(interval));
        // A malformed interval has been noted.
        if comparable {
            problems.check(&origin, rules::shorter(timeout, interval));
        }
        problems.check(&origin, rules::health_count("healthy", healthy.into()));
        problems.check(&origin, rules::health_count("unhealthy", unhealthy.into()));
        let check = match kind {
            Kind::Http(Http { path, status }) => {
                problems.check(&origin, rules::request_path(&path));
                problems.check(&origin, rules::health_status(status.into()));
                HealthCheck::Http { port, path, status }
            }
            Kind::Tcp => HealthCheck::Tcp { port },
        };
        Health {
            origin,
            check,
            interval_ms: millis(interval),
            timeout_ms: millis(timeout),
            healthy,
            unhealthy,
            within_ms: millis(within),
            soak_ms: millis(soak),
        }
    }
}

impl HealthCheck {
    /// The port that is asked.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

/// As the Document has it. What does not fit is longer than anybody waits.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
