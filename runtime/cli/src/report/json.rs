use super::Scope;
use kiln_engine::Event;
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(flatten)]
    scope: &'a Option<Scope>,
}

/// One event, one line.
pub(super) fn print(event: &Event, scope: &Option<Scope>) {
    if let Ok(line) = serde_json::to_string(&Line { event, scope }) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
