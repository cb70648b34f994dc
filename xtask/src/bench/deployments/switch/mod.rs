//! From a deploy to all traffic on the new version, beside what EC2 itself takes for it and the same done by hand.

mod by_hand;
mod chain;
mod kiln;
mod lab;
mod watched;

use crate::bench::checkout::Checkout;
use crate::bench::cloud::Cloud;
use crate::bench::machine;
use crate::bench::measure::Sample;
use crate::bench::options::Options;
use crate::bench::place::Place;
use crate::bench::table::{Row, Target};
use crate::say;
use crate::workspace::Workspace;
use anyhow::{Result, ensure};
use lab::Lab;
use std::time::Duration;
use watched::Watched;

/// A deploy takes more than a minute of EC2's latencies, and nearly all of it is waiting: that scatters little.
const RUNS: usize = 3;

/// How many times what EC2 takes a deploy may take.
const FACTOR: f64 = 1.10;

/// Servers of a deployment.
const SERVERS: usize = 2;

/// Something that deploys one of two pages in turn.
trait Tool {
    fn name(&self) -> &'static str;

    /// Where its load balancer answers.
    fn address(&self) -> &str;

    /// A text that only this round's page has.
    fn prepare(&mut self, round: usize) -> Result<String>;

    /// Deploys the page that was prepared.
    fn deploy(&mut self) -> Result<Sample>;

    /// What is left for another day.
    fn tidy(&mut self) -> Result<()>;
}

/// Both moments, by both tools.
pub(in crate::bench) fn run(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
) -> Result<Vec<Row>> {
    let (divisor, how) = match options.quick {
        true => (10, "EC2's latencies divided by ten"),
        false => (1, "EC2's latencies"),
    };
    let cloud = Cloud::start(workspace, place, &[])?;
    let lab = Lab::new(&cloud)?;
    let kiln = kiln::Kiln::new(workspace, place, checkout, &cloud, &lab)?;
    let by_hand = by_hand::ByHand::new(workspace, &cloud, kiln.amis())?;
    let mut tools: [Box<dyn Tool + '_>; 2] = [Box::new(kiln), Box::new(by_hand)];
    let cases = [
        format!("deploy until the last answer of the old version, {how}"),
        format!("deploy until the command returns, {how}"),
    ];
    say::line(&format!("bench: {} and {}: minutes", cases[0], cases[1]));
    let load = machine::load();
    let imposed = |case: &String| Row::new(case, "what EC2 takes, in Kiln's deploys", load);
    let mut imposed: Vec<Row> = cases.iter().map(imposed).collect();
    let mut measured: Vec<Vec<Row>> = Vec::new();
    for tool in &tools {
        measured.push(cases.iter().map(|case| Row::new(case, tool.name(), load)).collect());
    }
    for round in 0..options.runs.min(if options.quick { 1 } else { RUNS }) {
        for (index, tool) in tools.iter_mut().enumerate() {
            let page = tool.prepare(round)?;
            lab.divide(divisor)?;
            let watched = Watched::deploy(&lab, tool.as_mut(), &page);
            lab.divide(0)?;
            let watched = watched?;
            ensure!(watched.failures == 0, "{} requests failed: {}", watched.failures, tool.name());
            tool.tidy()?;
            let moments = [watched.traffic, watched.deploy.time];
            for (row, time) in measured[index].iter_mut().zip(moments) {
                row.samples.push(Sample { time, ..watched.deploy });
            }
            if index == 0 {
                let chain = chain::Chain::of(&lab, &watched, divisor)?;
                say::line(&format!("bench: {}", chain.text()));
                for (row, seconds) in imposed.iter_mut().zip([chain.traffic(), chain.all()]) {
                    row.samples.push(Sample::of(Duration::from_secs_f64(seconds)));
                }
            }
        }
    }
    // All traffic is on the new version then. After that the command waits until the load balancer has surely heard of it, for
    // which EC2 imposes nothing.
    if let (Some(kiln), Some(imposed)) = (measured[0].first_mut(), imposed.first()) {
        let is = kiln.median().as_secs_f64() / imposed.median().as_secs_f64();
        let text = format!("at most {FACTOR} times what EC2 takes (is {is:.3})");
        kiln.targets.push(Target { text, met: is <= FACTOR });
    }
    let mut rows = Vec::new();
    let mut tools = measured.into_iter().map(Vec::into_iter).collect::<Vec<_>>();
    for imposed in imposed {
        rows.push(imposed);
        rows.extend(tools.iter_mut().filter_map(Iterator::next));
    }
    Ok(rows)
}
