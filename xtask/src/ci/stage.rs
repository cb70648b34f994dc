use super::tally::Tally;
use crate::say;
use anyhow::Result;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The stages of a CI run, one after the other.
pub(super) struct Stages {
    started: Instant,
    times: Vec<(String, Duration)>,
    tally: Tally,
}

impl Stages {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), times: Vec::new(), tally: Tally::default() }
    }

    /// Runs a stage between two headlines. A stage counts what it tests.
    pub(super) fn run<T>(
        &mut self,
        name: &str,
        stage: impl FnOnce(&mut Tally) -> Result<T>,
    ) -> Result<T> {
        say::line(&format!("\n==> {name}"));
        let started = Instant::now();
        let outcome = stage(&mut self.tally);
        let time = started.elapsed();
        self.times.push((name.to_owned(), time));
        let time = seconds(time);
        match &outcome {
            Ok(_) => say::line(&format!("==> {name} passed in {time}")),
            Err(error) => {
                say::error(error);
                say::line(&format!("==> {name} FAILED after {time}"));
            }
        }
        outcome
    }

    /// The times, and the count of tests as the very last line.
    pub(super) fn finish(mut self, outcome: Result<()>) -> ExitCode {
        let verdict = if outcome.is_ok() { "passed" } else { "FAILED" };
        if outcome.is_err() && self.tally.failed == 0 {
            // A stage without tests of its own failed: the count must not read like success.
            self.tally.failed = 1;
        }
        say::line("");
        for (name, time) in &self.times {
            say::line(&format!("    {name:<24} {:>9}", seconds(*time)));
        }
        say::line(&format!("==> ci {verdict} in {}", seconds(self.started.elapsed())));
        let _ = writeln!(std::io::stdout().lock(), "{}", self.tally);
        if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}
