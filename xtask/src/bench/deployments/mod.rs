//! What a plan costs when nothing changed, beside Terraform on as many resources; and how long a deploy takes, beside what
//! EC2 itself takes for it.

mod engine;
mod host;
mod switch;
mod terraform;

pub(super) use switch::run as deploys;

use super::checkout::Checkout;
use super::cloud::Cloud;
use super::machine;
use super::measure::Sample;
use super::options::Options;
use super::place::Place;
use super::table::{Row, Target};
use crate::workspace::Workspace;
use crate::{programs, say};
use anyhow::Result;
use std::path::PathBuf;

/// How many times as fast as Terraform a plan is to be.
const FACTOR: f64 = 20.0;

/// Deployments of few images.
const DEPLOYMENTS: usize = 1_000;

/// Deployments, images, their layers and bases.
const NODES: usize = 10_000;

/// Layers of the images: an image has ten, so these are eleven images and bases more for each hundred.
const LAYERS: [usize; 2] = [10, 8_200];

/// All cases by all that are there.
pub(super) fn run(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
) -> Result<Vec<Row>> {
    let terraform = programs::find("terraform");
    if terraform.is_none() {
        say::line("bench: there is no `terraform` to compare with: its rows are left out");
    }
    let engine = engine::Engine::new(checkout)?;
    let mut rows = Vec::new();
    for ((case, nodes), layers) in [
        (format!("plan of {DEPLOYMENTS} deployments, nothing changed"), DEPLOYMENTS),
        (format!("plan of {NODES} nodes, nothing changed"), NODES),
    ]
    .into_iter()
    .zip(LAYERS)
    {
        say::line(&format!("bench: {case}"));
        let load = machine::load();
        let mut kiln = Row::new(&case, "kiln, from its Document and what runs", load);
        let mut other = Row::new(&case, "terraform plan", load);
        let other_tool = other_tool(terraform.clone(), place, nodes)?;
        // The first round warms the page cache.
        for round in 0..=options.runs {
            let ours = engine.plan([DEPLOYMENTS, layers], nodes)?;
            let theirs = other_tool.as_ref().map(terraform::Terraform::plan).transpose()?;
            if round > 0 {
                kiln.samples.push(ours);
                other.samples.extend(theirs);
            }
        }
        if other_tool.is_some() {
            kiln.targets.push(faster(&kiln, &other));
        }
        rows.extend([kiln, other].into_iter().filter(|row| !row.samples.is_empty()));
    }
    rows.extend(deploys(workspace, options, place, checkout)?);
    rows.extend(in_a_lab(workspace, options, place, checkout)?);
    Ok(rows)
}

/// The whole host, asking a lab. The recipes of the checkout are replaced.
fn in_a_lab(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
) -> Result<[Row; 2]> {
    let deployments = if options.quick { DEPLOYMENTS / 10 } else { DEPLOYMENTS };
    let cloud = Cloud::start(workspace, place, &[])?;
    let host = host::Host::new(cloud, place, checkout, deployments)?;
    let case = format!("plan of {deployments} deployments, nothing changed, asked of a lab");
    say::line(&format!("bench: {case}"));
    let load = machine::load();
    let mut whole = Row::new(&case, "kiln-host-ec2 plan", load);
    let mut own = Row::new(&case, "kiln-host-ec2 plan, its processor time", load);
    for round in 0..=options.runs {
        let sample = host.plan()?;
        if round > 0 {
            whole.samples.push(sample);
            own.samples.push(Sample { time: sample.cpu, ..sample });
        }
    }
    Ok([whole, own])
}

fn other_tool(
    program: Option<PathBuf>,
    place: &Place,
    resources: usize,
) -> Result<Option<terraform::Terraform>> {
    let made = program.map(|program| {
        let dir = place.dir(&format!("terraform-{resources}"))?;
        terraform::Terraform::new(program, dir, resources)
    });
    made.transpose()
}

fn faster(kiln: &Row, terraform: &Row) -> Target {
    let is = terraform.median().as_secs_f64() / kiln.median().as_secs_f64();
    let text = format!("at least {FACTOR} times as fast as Terraform (is {is:.1})");
    Target { text, met: is >= FACTOR }
}
