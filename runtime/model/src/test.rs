use crate::{Origin, Problems};
use kiln_rules as rules;
use serde::{Deserialize, Serialize};

/// A check of the baked image, run in a throw-away copy of it with its own services started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Unique in its image.
    pub name: String,
    /// Where it was written.
    pub origin: Origin,
    /// What is checked; exactly one of `run`, `http` and `tcp`.
    pub probe: Option<Probe>,
    /// How long to go on trying, as in `"30s"`.
    pub within: String,
    /// Set when a second probe was given.
    #[serde(skip)]
    pub(crate) ambiguous: bool,
    /// An `http` option given without `http`.
    #[serde(skip)]
    pub(crate) stray: Option<&'static str>,
}

/// What a [`Test`] checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Text for `/bin/sh -e` in the image; passes with status 0.
    Run(String),
    /// A GET request from inside the image's network.
    Http {
        /// `http://localhost/…`.
        url: String,
        /// The status expected.
        status: u16,
        /// Text that the body must contain.
        body: Option<String>,
    },
    /// A connection to this port on the image's loopback.
    Tcp(u16),
}

impl Test {
    /// A test that checks nothing yet.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            origin: Origin::caller(),
            probe: None,
            within: "30s".into(),
            ambiguous: false,
            stray: None,
        }
    }

    /// Passes when this shell text ends with status 0.
    #[must_use]
    pub fn run(self, script: impl Into<String>) -> Self {
        self.probe(Probe::Run(script.into()))
    }

    /// Passes when a GET of this URL answers with status 200, or the one that [`Test::status`] names.
    #[must_use]
    pub fn http(self, url: impl Into<String>) -> Self {
        self.probe(Probe::Http { url: url.into(), status: 200, body: None })
    }

    /// Passes when this port accepts a connection.
    #[must_use]
    pub fn tcp(self, port: u16) -> Self {
        self.probe(Probe::Tcp(port))
    }

    /// The status that an `http` test expects. Comes after `http`.
    #[must_use]
    pub fn status(mut self, expected: u16) -> Self {
        match &mut self.probe {
            Some(Probe::Http { status, .. }) => *status = expected,
            _ => self.stray = Some("status"),
        }
        self
    }

    /// Text that the answer to an `http` test must contain. Comes after `http`.
    #[must_use]
    pub fn body(mut self, text: impl Into<String>) -> Self {
        match &mut self.probe {
            Some(Probe::Http { body, .. }) => *body = Some(text.into()),
            _ => self.stray = Some("body"),
        }
        self
    }

    /// How long to go on trying: `"30s"` unless told.
    #[must_use]
    pub fn within(mut self, duration: impl Into<String>) -> Self {
        self.within = duration.into();
        self
    }

    fn probe(mut self, probe: Probe) -> Self {
        self.ambiguous |= self.probe.is_some();
        self.probe = Some(probe);
        self
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        let one = Some("a test has exactly one of `run`, `http` and `tcp`".to_owned());
        if self.ambiguous {
            problems.push(
                &self.origin,
                format!("test `{}` has two probes", self.name),
                one.clone(),
            );
        }
        if let Some(option) = self.stray {
            let message = format!("`{option}` without `http` in test `{}`", self.name);
            problems.push(&self.origin, message, Some("write `http` before it".into()));
        }
        problems.check(&self.origin, rules::duration(&self.within));
        match &self.probe {
            None => {
                problems.push(&self.origin, format!("test `{}` checks nothing", self.name), one)
            }
            Some(Probe::Http { url, .. }) => {
                problems.check(&self.origin, rules::url(url));
            }
            Some(Probe::Tcp(port)) => {
                problems.check(&self.origin, rules::port(u64::from(*port)));
            }
            Some(Probe::Run(_)) => {}
        }
    }
}
