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

/// The example that is edited.
const RECIPE: &str = "recipes/src/web.rs";

/// What its image says where it stands on; behind it an image says where it is baked.
const BASE: &str = "base: base(),";

/// From an edit of the example `web` to its new graph, printed by `cargo xtask graph web`: cargo's checks,
/// the incremental compile, the recipes' run, and the host that reads the Document.
pub(super) fn run(options: &Options, from: &Path, checkout: &Checkout) -> Result<Vec<Row>> {
    let recipes = checkout.root().join("recipes");
    std::fs::remove_dir_all(&recipes)?;
    // With today's times: cargo does not notice a source that was replaced by an older one.
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--preserve=mode"]).arg(from.join("recipes")).arg(&recipes);
    measure::run(&mut copy)?;
    let source = std::fs::read_to_string(checkout.root().join(RECIPE))
        .with_context(|| format!("cannot read `{RECIPE}`"))?;
    let at = source.find(BASE).with_context(|| format!("no `{BASE}` in `{RECIPE}`"))?;
    let (head, tail) = source.split_at(at + BASE.len());
    Ok(vec![
        edited(options, checkout, "recipe edited to new Document", [head, tail])?,
        edited(
            options,
            checkout,
            "recipe that names EC2 edited to new Document",
            [&format!("{head} builder: ec2,"), tail],
        )?,
    ])
}

/// Edits the recipe by putting another layer between these.
fn edited(options: &Options, checkout: &Checkout, case: &str, parts: [&str; 2]) -> Result<Row> {
    say::line(&format!("bench: {case}"));
    let [head, tail] = parts;
    let mut row = Row::new(case, "cargo xtask graph", machine::load());
    // Once unmeasured: the host, too, is compiled then.
    for round in 0..=options.runs {
        let step = format!("true # round {round}");
        let layer = format!("layer edited {{ run: \"{step}\" }}");
        std::fs::write(checkout.root().join(RECIPE), format!("{head}\n{layer}\n{tail}"))?;
        let finished = measure::run(&mut checkout.cargo(&["xtask", "graph", "web"]))?;
        let mut recipes = Command::new(checkout.program("debug/recipes"));
        let document = measure::run(recipes.current_dir(checkout.root()))?.stdout;
        ensure!(document.contains(&step), "the edited recipe was not compiled:\n{document}");
        ensure!(finished.stdout.contains("web/edited"), "another graph:\n{}", finished.stdout);
        if round > 0 {
            row.samples.push(finished.sample);
        }
    }
    row.below("< 1.5 s", Duration::from_millis(1500));
    Ok(row)
}
