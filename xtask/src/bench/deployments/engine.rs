use super::Sample;
use crate::bench::checkout::Checkout;
use crate::bench::{measure, number};
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The engine's own plan: `runtime/engine/examples/plan_deployments.rs`. In it are the text of a Document being read, the
/// graph and its keys, and the comparison with what runs. Not in it: asking EC2.
pub(super) struct Engine(PathBuf);

impl Engine {
    pub(super) fn new(checkout: &Checkout) -> Result<Self> {
        let example =
            ["build", "--release", "--package", "kiln-engine", "--example", "plan_deployments"];
        checkout.build(&example)?;
        Ok(Self(checkout.program("release/examples/plan_deployments")))
    }

    /// Plans so many deployments, whose images have so many layers in all.
    ///
    /// # Errors
    /// When those are fewer nodes than wanted.
    pub(super) fn plan(&self, [deployments, layers]: [usize; 2], nodes: usize) -> Result<Sample> {
        let arguments = [deployments.to_string(), layers.to_string()];
        let finished = measure::run(Command::new(&self.0).args(arguments))?;
        let planned = number(&finished.stdout, "nodes")?;
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let wanted = nodes as f64;
        ensure!(planned >= wanted, "{planned} nodes, not {nodes}: {}", finished.stdout);
        // Without the time that it took to make up the Document and what runs.
        let time = Duration::from_secs_f64(number(&finished.stdout, "ms")? / 1e3);
        Ok(Sample { time, ..finished.sample })
    }
}
