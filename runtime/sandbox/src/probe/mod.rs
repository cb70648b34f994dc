//! Tests of a baked image, in a throw-away machine made of it.

mod attempt;
mod network;
mod started;

use crate::run::Run;
use attempt::{Attempt, attempt};
use kiln::{Probe, Test};
use kiln_engine::Error;
use kiln_engine::driver::{Output, TestOutcome, TestPlan};
use started::Started;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries of a probe.
const PAUSE: Duration = Duration::from_millis(50);

/// See [`kiln_engine::driver::Builder::test`]. All tests share one start of the image.
pub(crate) async fn test(
    run: &Arc<Run>,
    lower: &[PathBuf],
    plan: &TestPlan,
    output: Output<'_>,
) -> Result<Vec<TestOutcome>, Error> {
    let mut started = Started::new(run, lower, plan, output).await?;
    let mut outcomes = Vec::new();
    for test in &plan.tests {
        outcomes.push(outcome(&mut started, test).await?);
    }
    started.stop()?;
    Ok(outcomes)
}

async fn outcome(started: &mut Started, test: &Test) -> Result<TestOutcome, Error> {
    let begun = Instant::now();
    let within =
        kiln::rules::duration(&test.within).map_err(|fault| Error::input(fault.message))?;
    let Some(probe) = &test.probe else {
        return Err(Error::input(format!("test `{}` checks nothing", test.name)));
    };
    let failed = loop {
        let ended = started.end();
        let left = within.saturating_sub(begun.elapsed());
        let failed = match attempt(started, probe, left).await {
            Attempt::Passed => {
                return Ok(TestOutcome { time: begun.elapsed(), failure: None, output: vec![] });
            }
            Attempt::Failed(failed) => failed,
        };
        // One try more than the service: what it has started may still answer.
        if let Some(ended) = ended {
            break attempt::Failed { why: format!("{ended}, and {}", failed.why), ..failed };
        }
        if matches!(probe, Probe::Http { .. } | Probe::Tcp(_)) && !started.runs() {
            break attempt::Failed {
                why: "nothing was started that could answer: the image has no init system and no `start` command".into(),
                output: vec![],
            };
        }
        if begun.elapsed() + PAUSE >= within {
            break failed;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let mut output = failed.output;
    output.extend(started.journal().await);
    let why = format!("{} (tried for {})", failed.why, crate::process::in_words(within));
    Ok(TestOutcome { time: begun.elapsed(), failure: Some(why), output })
}
