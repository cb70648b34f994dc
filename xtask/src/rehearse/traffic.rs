//! Requests through the load balancers while deployments change, and what became of them.

use super::interrupt;
use crate::say;
use anyhow::{Context, Result, anyhow, ensure};
use kiln_load::{Address, Load, Record, Running};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A load balancer that was just made may need this long until it answers.
const FIRST_ANSWER: Duration = Duration::from_secs(120);

/// For how long after each change answers are looked at.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Requests to one deployment.
pub(super) struct Traffic {
    deployment: String,
    address: Address,
    load: Option<Running>,
    changes: Vec<Change>,
}

/// A command that changed what answers.
struct Change {
    name: &'static str,
    began: Duration,
    ended: Duration,
    looked: Duration,
    /// What is to answer from its end on; `None` where answers tell no version.
    expected: Option<String>,
}

impl Traffic {
    pub(super) fn new(deployment: &str, url: &str) -> Result<Self> {
        let address = Address::parse(url).map_err(|error| anyhow!(error))?;
        Ok(Self { deployment: deployment.to_owned(), address, load: None, changes: Vec::new() })
    }

    /// What is answered now, shown as `curl` would; `None` when two answers in a row differ: then they tell no
    /// version.
    pub(super) fn answer(&self) -> Result<Option<String>> {
        say::line(&format!("\n$ curl {}", self.address));
        let until = Instant::now() + FIRST_ANSWER;
        let first = loop {
            interrupt::check()?;
            match kiln_load::get(&self.address) {
                Ok(text) => break text,
                Err(error) if Instant::now() > until => {
                    return Err(error)
                        .with_context(|| format!("`{}` does not answer", self.address));
                }
                // It is being made.
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        };
        say::line(first.trim_end());
        let second = kiln_load::get(&self.address)?;
        Ok((first == second).then_some(first))
    }

    /// Begins to send requests.
    pub(super) fn begin(&mut self, rate: u32) -> Result<()> {
        say::line(&format!("from now on {rate} requests a second go to {}", self.address));
        let load = Load::new(self.address.clone(), rate).start();
        let answered = load.wait_for(FIRST_ANSWER, |request| request.answer().is_some());
        ensure!(answered, "no request is answered: {:?}", load.so_far().failures().first());
        self.load = Some(load);
        Ok(())
    }

    /// The moment before a change.
    pub(super) fn now(&self) -> Duration {
        self.load.as_ref().map(Running::now).unwrap_or_default()
    }

    /// A change has ended. Waits until some answers after it have been seen.
    pub(super) fn changed(
        &mut self,
        name: &'static str,
        began: Duration,
        expected: Option<&str>,
    ) -> Result<()> {
        let Some(load) = &self.load else { return Ok(()) };
        let ended = load.now();
        let looked = ended + AFTERWARDS;
        load.wait_for(AFTERWARDS * 5, |request| request.sent >= looked);
        interrupt::check()?;
        let expected = expected.map(str::to_owned);
        self.changes.push(Change { name, began, ended, looked, expected });
        Ok(())
    }

    /// Sends no more, and sums up. Whether all was well.
    pub(super) fn end(mut self) -> (String, bool) {
        let Some(load) = self.load.take() else { return (String::new(), true) };
        let record = load.stop();
        let mut text = format!("{}, through {}\n", self.deployment, self.address);
        let failures = record.failures();
        let _ = writeln!(
            text,
            "  {} requests sent, {} failed; median {:.1} ms, 99 % within {:.1} ms",
            record.sent(),
            failures.len(),
            record.quantile(0.5).as_secs_f64() * 1e3,
            record.quantile(0.99).as_secs_f64() * 1e3,
        );
        for (sent, why) in failures.iter().take(5) {
            let _ = writeln!(text, "    after {:.1} s: {why}", sent.as_secs_f64());
        }
        let mut well = failures.is_empty();
        for change in &self.changes {
            well &= change.tell(&record, &mut text);
        }
        (text, well)
    }
}

impl Change {
    fn tell(&self, record: &Record, text: &mut String) -> bool {
        let took = (self.ended - self.began).as_secs_f64();
        let sent = record.between(self.began, self.looked).count();
        let _ = write!(text, "  {:<9} {took:.1} s, {sent} requests", self.name);
        let Some(expected) = &self.expected else {
            text.push_str("; its answers tell no version\n");
            return true;
        };
        let during = record.between(self.began, self.looked);
        let first = during.filter(|r| r.answer() == Some(expected)).map(|r| r.sent).min();
        let after: Vec<_> = record.between(self.ended, self.looked).collect();
        let wrong = after.iter().filter(|r| r.answer().is_some_and(|text| text != expected));
        let wrong = wrong.count();
        if let Some(first) = first {
            let _ = write!(
                text,
                "; the first new answer after {:.1} s",
                (first - self.began).as_secs_f64()
            );
        }
        let _ =
            writeln!(text, "; after its end {} answers, {wrong} of the wrong version", after.len());
        wrong == 0 && first.is_some()
    }
}
