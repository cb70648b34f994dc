//! From a Document of many layers to a plan, everything cached.

use super::checkout::Checkout;
use super::machine;
use super::measure::{self, Sample};
use super::number;
use super::options::Options;
use super::table::{Row, Target};
use crate::say;
use anyhow::Result;
use std::process::Command;
use std::time::Duration;

const COUNTS: [u32; 2] = [10_000, 100_000];

/// Ten times the layers may take this many times as long: caches of the processor are left behind.
const LINEAR: f64 = 15.0;

pub(super) fn run(options: &Options, checkout: &Checkout) -> Result<Vec<Row>> {
    say::line("bench: planning");
    checkout.build(&[
        "build",
        "--release",
        "--package",
        "kiln-engine",
        "--example",
        "plan_layers",
    ])?;
    let program = checkout.program("release/examples/plan_layers");
    let case = |count: &u32| format!("Document of {count} layers to plan");
    let mut rows = COUNTS.map(|count| Row::new(&case(&count), "kiln", machine::load()));
    for _ in 0..options.runs {
        for (count, row) in COUNTS.iter().zip(&mut rows) {
            let finished = measure::run(Command::new(&program).arg(count.to_string()))?;
            // Without the time that it took to make up the Document.
            let time = Duration::from_secs_f64(number(&finished.stdout, "ms")? / 1e3);
            row.samples.push(Sample { time, ..finished.sample });
        }
    }
    let [small, large] = &mut rows;
    small.below("< 0.5 s", Duration::from_millis(500));
    let factor = large.median().as_secs_f64() / small.median().as_secs_f64();
    let text = format!("linear: at most {LINEAR} × that of a tenth (is {factor:.1})");
    large.targets.push(Target { text, met: factor <= LINEAR });
    Ok(rows.into())
}
