//! An AMI of three layers, baked by Kiln and by Packer in turn, in one lab with EC2's latencies.

mod case;
mod kiln;
mod packer;

use super::checkout::Checkout;
use super::cloud::Cloud;
use super::machine;
use super::measure::{self, Finished};
use super::options::Options;
use super::place::Place;
use super::table::{Row, Target};
use crate::say;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use case::Case;
use std::path::Path;
use std::process::Command;

/// Real latencies are this many times longer. Packer, which waits for each, would take minutes a bake.
const DIVISOR: &str = "10";

/// A bake takes half a minute, most of it waiting: that scatters little.
const RUNS: usize = 3;

/// Prints files of an AMI that boots.
const LOOK: &str = include_str!("look.py");

/// Something that bakes the three layers.
trait Tool {
    fn name(&self) -> &'static str;

    /// Changes what the case says, to something that was never there before.
    fn change(&mut self, case: Case, round: &str) -> Result<()>;

    /// Bakes, measured.
    fn bake(&mut self, cloud: &Cloud) -> Result<Finished>;

    /// The AMI that it says it has baked, or that is there already.
    ///
    /// # Errors
    /// When it did not bake exactly what the case wants.
    fn ami(&self, case: Case, finished: &Finished) -> Result<String>;
}

/// All cases by both. The recipes of the checkout are replaced.
pub(super) fn run(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
) -> Result<Vec<Row>> {
    say::line("bench: a lab with EC2's latencies");
    let flags = ["--latency-divisor", DIVISOR];
    let cloud = Cloud::start(workspace, place, &flags)?;
    say::line("bench: the host with EC2's driver, minutes when it was never compiled here");
    let kiln = kiln::Kiln::new(place, checkout, &cloud)?;
    let packer = packer::Packer::new(place, kiln.source_ami()?)?;
    let mut tools: [Box<dyn Tool + '_>; 2] = [Box::new(kiln), Box::new(packer)];
    let mut rows = Vec::new();
    for case in Case::ALL {
        rows.extend(measure_case(options, place, &cloud, case, &mut tools)?);
    }
    Ok(rows)
}

fn measure_case(
    options: &Options,
    place: &Place,
    cloud: &Cloud,
    case: Case,
    tools: &mut [Box<dyn Tool + '_>],
) -> Result<Vec<Row>> {
    say::line(&format!("bench: {}", case.name()));
    let load = machine::load();
    let mut rows: Vec<Row> =
        tools.iter().map(|tool| Row::new(case.name(), tool.name(), load)).collect();
    let runs = options.runs.min(if options.quick { 1 } else { RUNS });
    for round in 0..runs {
        for (tool, row) in tools.iter_mut().zip(&mut rows) {
            let text = format!("{} {} {round}", tool.name(), case.name());
            tool.change(case, &text)?;
            let finished = tool.bake(cloud)?;
            let ami = tool.ami(case, &finished)?;
            row.samples.push(finished.sample);
            if case == Case::Last && round + 1 == runs {
                verify(place, cloud, tool.name(), &ami, &text)?;
            }
        }
    }
    if let [kiln, packer] = &mut rows[..] {
        let is = packer.median().as_secs_f64() / kiln.median().as_secs_f64();
        let factor = case.factor();
        let text = format!("at least {factor} times as fast as Packer (is {is:.1})");
        kiln.targets.push(Target { text, met: is >= factor });
    }
    Ok(rows)
}

/// Fails unless the AMI boots and holds what was copied last, and what the last step made of it.
fn verify(place: &Place, cloud: &Cloud, name: &str, ami: &str, note: &str) -> Result<()> {
    let keys = place.dir(&format!("look-{}", name.replace(' ', "-")))?;
    let mut look = Command::new(cloud.python());
    look.args(["-c", LOOK, ami]).arg(keys).args(["/srv/note", "/srv/sum"]);
    let content = measure::run(look.envs(cloud.environment()))
        .with_context(|| format!("`{ami}` by {name} cannot be looked at"))?
        .stdout;
    let sum = measure::run_with_input(&mut Command::new("sha256sum"), &format!("{note}\n"))?.stdout;
    let sum = sum.split(' ').next().unwrap_or_default();
    ensure!(
        content == format!("{note}\n{sum}  /srv/note\n"),
        "`{ami}` by {name} does not hold what was copied:\n{content}"
    );
    Ok(())
}

fn write_note(dir: &Path, text: &str) -> Result<()> {
    std::fs::write(dir.join("note"), format!("{text}\n")).context("cannot change an input")
}
