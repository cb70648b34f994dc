//! An image of seven steps, built by Kiln, BuildKit and buildah in turn.

mod buildah;
mod buildkit;
mod case;
mod kiln;

use super::checkout::Checkout;
use super::machine;
use super::measure::{self, Finished};
use super::options::Options;
use super::place::Place;
use super::table::Row;
use crate::say;
use anyhow::{Context, Result, ensure};
use case::Case;
use std::process::Command;
use std::time::Duration;

const DOCKERFILE: &str = include_str!("Dockerfile.in");

/// Something that builds the seven steps.
trait Tool {
    fn name(&self) -> &'static str;

    /// Changes what the case says, to something that was never there before.
    fn change(&mut self, case: Case, round: &str) -> Result<()>;

    /// Builds, measured.
    fn build(&mut self) -> Result<Finished>;

    /// How many of the seven steps the build says that it built.
    fn built(&self, finished: &Finished) -> Result<usize>;

    /// `/srv/note` and `/srv/sum` of the image that the build made.
    fn content(&self, finished: &Finished) -> Result<String>;

    /// Starts counting the memory of daemons anew.
    fn forget_memory(&self) -> Result<()> {
        Ok(())
    }

    /// The most memory that daemons had since then: KiB.
    fn daemons_kib(&self) -> Result<u64> {
        Ok(0)
    }
}

/// All cases by all tools. The recipes of the checkout are replaced.
pub(super) fn run(options: &Options, place: &Place, checkout: &Checkout) -> Result<Vec<Row>> {
    say::line("bench: making the base, for all of them");
    let store = place.dir("store")?;
    let host = kiln::Host::new(checkout, &store)?;
    let base = place.path().join("base.tar");
    let mut pack = Command::new("tar");
    pack.args(["--numeric-owner", "--xattrs", "--create", "--file"]).arg(&base);
    measure::run(pack.arg("--directory").arg(host.base()?).arg("."))?;
    let mut tools: Vec<Box<dyn Tool + '_>> = vec![
        Box::new(host),
        Box::new(kiln::Xtask::new(checkout, &store)),
        Box::new(buildkit::BuildKit::start(place, &base)?),
        Box::new(buildah::Buildah::new(place, &base)?),
    ];
    let mut rows = Vec::new();
    for case in Case::ALL {
        rows.extend(measure_case(options, case, &mut tools)?);
    }
    Ok(rows)
}

fn measure_case(
    options: &Options,
    case: Case,
    tools: &mut [Box<dyn Tool + '_>],
) -> Result<Vec<Row>> {
    say::line(&format!("bench: {}", case.name()));
    // Once unmeasured, and once more after cargo's programs are old enough to be trusted by their times.
    for tool in tools.iter_mut() {
        tool.change(case, &format!("before {}", case.name()))?;
        tool.build()?;
    }
    if case == Case::Nothing {
        std::thread::sleep(Duration::from_secs(3));
        for tool in tools.iter_mut() {
            tool.build()?;
        }
    }
    let load = machine::load();
    let mut rows: Vec<Row> =
        tools.iter().map(|tool| Row::new(case.name(), tool.name(), load)).collect();
    for tool in tools.iter() {
        tool.forget_memory()?;
    }
    for round in 0..options.runs {
        for (tool, row) in tools.iter_mut().zip(&mut rows) {
            let round = format!("{} {round}", tool.name());
            tool.change(case, &round)?;
            let finished = tool.build()?;
            let built = tool.built(&finished)?;
            ensure!(
                built == case.built(),
                "{} built {built} of seven steps, not {} ({}):\n{}{}",
                tool.name(),
                case.built(),
                case.name(),
                finished.stdout,
                finished.stderr
            );
            row.samples.push(finished.sample);
            if case == Case::Note && round.ends_with(&(options.runs - 1).to_string()) {
                verify(tool.as_ref(), &finished, &round)?;
            }
        }
    }
    for (tool, row) in tools.iter().zip(&mut rows) {
        row.daemons_kib = tool.daemons_kib()?;
    }
    set_targets(case, &mut rows);
    Ok(rows)
}

/// Fails unless the image holds what was copied last, and what the last step made of it.
fn verify(tool: &dyn Tool, finished: &Finished, note: &str) -> Result<()> {
    let content = tool.content(finished).with_context(|| format!("no image by {}", tool.name()))?;
    let sum = measure::run_with_input(&mut Command::new("sha256sum"), &format!("{note}\n"))?.stdout;
    let sum = sum.split(' ').next().unwrap_or_default();
    ensure!(
        content == format!("{note}\n{sum}  /srv/note\n"),
        "the image by {} does not hold what was copied:\n{content}",
        tool.name()
    );
    Ok(())
}

/// Of the host, to beat BuildKit; of the whole command, to beat buildah.
fn set_targets(case: Case, rows: &mut [Row]) {
    let medians: Vec<Duration> = rows.iter().map(Row::median).collect();
    let [host, xtask, ..] = rows else { return };
    host.below("faster than BuildKit", medians[2]);
    xtask.below("faster than buildah", medians[3]);
    if case == Case::Nothing {
        host.below("< 30 ms", Duration::from_millis(30));
        xtask.below("< 0.25 s", Duration::from_millis(250));
    }
}
