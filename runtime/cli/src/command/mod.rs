//! One module per command.

mod bake;
mod check;
mod explain;
mod export;
mod gc;
mod graph;
mod interruption;
mod owned;
mod packer_manifest;
mod plan;
mod test;
mod update;

use crate::args::{Args, Command};
use crate::exit::Ended;
use crate::project::Recipes;
use crate::report::Report;

pub(crate) async fn execute(args: &Args, recipes: Recipes<'_>, report: &Report) -> Ended {
    let global = &args.global;
    match &args.command {
        Command::Check => check::execute(global, recipes, report),
        Command::Bake(bake) => bake::execute(global, bake, recipes, report).await,
        Command::Plan(plan) => plan::execute(global, plan, recipes, report).await,
        Command::Explain { node } => explain::execute(global, &node.name, recipes, report).await,
        Command::Update(images) => update::execute(global, images, recipes, report).await,
        Command::Graph { language, .. } => graph::execute(global, *language, recipes, report),
        Command::Export(export) => export::execute(global, export, recipes, report).await,
        Command::Test(bake) => test::execute(global, bake, recipes, report).await,
        Command::Gc { dry_run } => gc::execute(global, *dry_run, recipes, report).await,
    }
}
