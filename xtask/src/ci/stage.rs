use super::tally::Tally;
use crate::say;
use anyhow::Result;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The stages of a CI run, one after the other.
pub(super) struct Stages {
    started: Instant,
    tally: Tally,
}

impl Stages {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), tally: Tally::default() }
    }

    /// Runs a stage between two headlines. A stage counts what it tests.
    pub(super) fn run(
        &mut self,
        name: &str,
        stage: impl FnOnce(&mut Tally) -> Result<()>,
    ) -> Result<()> {
        say::line(&format!("\n==> {name}"));
        let started = Instant::now();
        let outcome = stage(&mut self.tally);
        let time = seconds(started.elapsed());
        match &outcome {
            Ok(()) => say::line(&format!("==> {name} passed in {time}")),
            Err(error) => {
                say::error(error);
                say::line(&format!("==> {name} FAILED after {time}"));
            }
        }
        outcome
    }

    /// The total time, and the count of tests as the very last line.
    pub(super) fn finish(mut self, outcome: Result<()>) -> ExitCode {
        let verdict = if outcome.is_ok() { "passed" } else { "FAILED" };
        if outcome.is_err() && self.tally.failed == 0 {
            // A stage without tests of its own failed: the count must not read like success.
            self.tally.failed = 1;
        }
        say::line(&format!("\n==> ci {verdict} in {}", seconds(self.started.elapsed())));
        let _ = writeln!(std::io::stdout().lock(), "{}", self.tally);
        if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}
