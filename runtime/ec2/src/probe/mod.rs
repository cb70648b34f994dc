//! The tests of an image, on a machine that has booted from it: asked over SSH, answered by the machine itself.

mod attempt;

use attempt::attempt;
use kiln::{Probe, Test};
use kiln_engine::Error;
use kiln_engine::driver::{TestOutcome, TestPlan};
use kiln_ssh::{Exec, Machine};
use std::time::{Duration, Instant};

/// Between two tries of a probe.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs tests in their order.
///
/// # Errors
/// When the machine cannot be asked any more. A test that fails is an outcome.
pub(crate) async fn test(
    machine: &mut Machine,
    plan: &TestPlan,
) -> Result<Vec<TestOutcome>, Error> {
    let mut outcomes = Vec::new();
    for test in &plan.tests {
        outcomes.push(outcome(machine, plan, test).await?);
    }
    Ok(outcomes)
}

async fn outcome(
    machine: &mut Machine,
    plan: &TestPlan,
    test: &Test,
) -> Result<TestOutcome, Error> {
    let begun = Instant::now();
    let within =
        kiln::rules::duration(&test.within).map_err(|fault| Error::input(fault.message))?;
    let Some(probe) = &test.probe else {
        return Err(Error::input(format!("test `{}` checks nothing", test.name)));
    };
    let failed = loop {
        let left = within.saturating_sub(begun.elapsed());
        match attempt(machine, plan, probe, left).await? {
            None => {
                return Ok(TestOutcome { time: begun.elapsed(), failure: None, output: vec![] });
            }
            Some(failed) if begun.elapsed() + PAUSE >= within => break failed,
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let mut output = failed.output;
    // What a command prints says more of its failure than what services log.
    if !matches!(probe, Probe::Run(_)) || output.is_empty() {
        output.extend(journal(machine).await);
    }
    let tried = crate::session::duration(within);
    let failure = Some(format!("{} (tried for {tried})", failed.why));
    Ok(TestOutcome { time: begun.elapsed(), failure, output })
}

/// The end of what the machine's services have logged.
async fn journal(machine: &mut Machine) -> Vec<String> {
    let exec = Exec::argv(["journalctl", "--no-pager", "--quiet", "-n", "50"]);
    let text = machine.output(exec, &|_| {}).await.unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    if !lines.is_empty() {
        lines.insert(0, "--- log of the image ---".to_owned());
    }
    lines
}
