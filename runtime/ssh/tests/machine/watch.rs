//! What a batch told, for the test to look at and to wait for.

use kiln_ssh::Progress;
use std::sync::{Mutex, MutexGuard};

type OnLine = Box<dyn Fn(usize, &str) + Send + Sync>;

#[derive(Default)]
pub struct Seen {
    events: Mutex<Vec<String>>,
    on_line: Option<OnLine>,
}

impl Seen {
    /// Calls this for every line, while the command still runs.
    pub fn calling(on_line: impl Fn(usize, &str) + Send + Sync + 'static) -> Self {
        Self { events: Mutex::default(), on_line: Some(Box::new(on_line)) }
    }

    /// `start 0`, `0: line`, …
    pub fn events(&self) -> MutexGuard<'_, Vec<String>> {
        self.events.lock().unwrap()
    }
}

impl Progress for Seen {
    fn started(&self, op: usize) {
        self.events().push(format!("start {op}"));
    }

    fn line(&self, op: usize, line: &str) {
        self.events().push(format!("{op}: {line}"));
        if let Some(on_line) = &self.on_line {
            on_line(op, line);
        }
    }
}
