//! What people and programs read: progress, plans and errors, as text or as JSON lines.

mod deploy;
mod diagnostic;
mod json;
mod plain;
mod scope;
mod terminal;

pub(crate) use scope::Scope;

use kiln_engine::{Error, Event};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// Receives everything that a command has to say. Cheap to clone; called from several threads.
#[derive(Clone)]
pub(crate) struct Report {
    kind: Arc<Kind>,
    /// Of the events of a bake.
    scope: Option<Scope>,
}

enum Kind {
    /// Events to standard output, nothing else there.
    Json,
    /// A line per event to standard error; results to standard output.
    Plain,
    /// A line per running node, redrawn; results to standard output.
    Terminal(terminal::Terminal),
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let kind = Arc::new(if json {
            Kind::Json
        } else if std::io::stderr().is_terminal() {
            Kind::Terminal(terminal::Terminal::new())
        } else {
            Kind::Plain
        });
        Self { kind, scope: None }
    }

    /// Likewise, for what happens at one place.
    pub(crate) fn at(&self, scope: Scope) -> Self {
        Self { kind: Arc::clone(&self.kind), scope: Some(scope) }
    }

    /// A result of the command: to standard output. In JSON, results are events.
    pub(crate) fn text(&self, line: &str) {
        let print = || {
            // A reader that has gone away is no reason to fail.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        };
        match &*self.kind {
            Kind::Json => {}
            Kind::Plain => print(),
            Kind::Terminal(terminal) => terminal.suspend(print),
        }
    }

    /// The one document that a command prints instead of events.
    pub(crate) fn document(&self, document: &serde_json::Value) {
        let _ = writeln!(std::io::stdout().lock(), "{document}");
    }

    pub(crate) fn event(&self, event: Event) {
        match &*self.kind {
            Kind::Json => json::print(&event, &self.scope),
            Kind::Plain => plain::print(&event, self.place()),
            Kind::Terminal(terminal) => terminal.event(&event, self.place()),
        }
    }

    /// For people, where there are several.
    fn place(&self) -> &str {
        self.scope.as_ref().map_or("", Scope::shown)
    }

    pub(crate) fn started(&self, nodes: usize) {
        self.event(Event::Started { version: Event::VERSION, nodes });
    }

    pub(crate) fn warning(&self, message: &str) {
        self.event(Event::Warning { message: message.to_owned() });
    }

    /// The last event: nodes built, cached and failed, deployments changed, and how long it took.
    pub(crate) fn summary(
        &self,
        (built, cached, failed): (usize, usize, usize),
        deployed: usize,
        time: Duration,
    ) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.event(Event::Summary { built, cached, failed, deployed, ms });
    }

    /// A mistake that kept the command from starting, or that ended all at one of several places.
    pub(crate) fn error(&self, error: &Error) {
        self.event(Event::Error {
            message: error.chain(),
            origin: error.origin().cloned(),
            help: error.help_text().map(ToOwned::to_owned),
        });
    }
}
