use crate::NodeName;
use crate::event::{Event, Events};
use std::sync::{Mutex, PoisonError};

/// How many lines of a node's output its record keeps.
const KEPT: usize = 200;

/// Passes what a node prints on as events, and keeps the last lines for its record.
pub(super) struct Log<'a> {
    events: Events<'a>,
    node: &'a NodeName,
    lines: Mutex<Vec<String>>,
}

impl<'a> Log<'a> {
    pub(super) fn new(events: Events<'a>, node: &'a NodeName) -> Self {
        Self { events, node, lines: Mutex::default() }
    }

    pub(super) fn line(&self, line: &str) {
        (self.events)(Event::Output { node: self.node.clone(), line: line.to_owned() });
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.to_owned());
        if lines.len() >= 2 * KEPT {
            lines.drain(..KEPT);
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        let mut lines = self.lines.into_inner().unwrap_or_else(PoisonError::into_inner);
        let surplus = lines.len().saturating_sub(KEPT);
        lines.drain(..surplus);
        lines
    }
}
