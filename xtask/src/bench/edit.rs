//! An edited recipe, compiled and run.

use super::checkout::Checkout;
use super::options::Options;
use super::table::Row;
use super::{machine, measure};
use crate::say;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where a step is put into the example `web`: behind the opening of its first layer.
const RECIPE: &str = "recipes/src/web.rs";

/// From an edit of the example `web` to its new graph, printed by `cargo xtask graph`: cargo's checks,
/// the incremental compile, the recipes' run, and the host that reads the Document.
pub(super) fn run(options: &Options, from: &Path, checkout: &Checkout) -> Result<Vec<Row>> {
    say::line("bench: an edited recipe");
    let recipes = checkout.root().join("recipes");
    std::fs::remove_dir_all(&recipes)?;
    // With today's times: cargo does not notice a source that was replaced by an older one.
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--preserve=mode"]).arg(from.join("recipes")).arg(&recipes);
    measure::run(&mut copy)?;
    let source = std::fs::read_to_string(checkout.root().join(RECIPE))
        .with_context(|| format!("cannot read `{RECIPE}`"))?;
    let at = source.find("layer ").and_then(|at| Some(at + source[at..].find('{')? + 1));
    let (head, tail) = source.split_at(at.with_context(|| format!("no layer in `{RECIPE}`"))?);

    let mut row = Row::new("recipe edited to new Document", "cargo xtask graph", machine::load());
    // Once unmeasured.
    for round in 0..=options.runs {
        let step = format!("true # round {round}");
        std::fs::write(checkout.root().join(RECIPE), format!("{head} run: \"{step}\", {tail}"))?;
        let finished = measure::run(&mut checkout.cargo(&["xtask", "graph"]))?;
        let mut recipes = Command::new(checkout.program("debug/recipes"));
        let document = measure::run(recipes.current_dir(checkout.root()))?.stdout;
        ensure!(document.contains(&step), "the edited recipe was not compiled:\n{document}");
        ensure!(finished.stdout.contains("web"), "a graph without `web`:\n{}", finished.stdout);
        if round > 0 {
            row.samples.push(finished.sample);
        }
    }
    row.below("< 1.5 s", Duration::from_millis(1500));
    Ok(vec![row])
}
