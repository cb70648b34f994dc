//! One module per command.

mod bake;
mod check;
mod explain;
mod export;
mod graph;
mod owned;
mod plan;
mod test;
mod update;

use crate::args::{Args, Command};
use crate::exit::Ended;
use crate::report::Report;

pub(crate) async fn execute(args: &Args, report: &Report) -> Ended {
    let global = &args.global;
    match &args.command {
        Command::Check => check::execute(global, report),
        Command::Bake(bake) => bake::execute(global, bake, report).await,
        Command::Plan(plan) => plan::execute(global, plan, report).await,
        Command::Explain { node } => explain::execute(global, node, report).await,
        Command::Update(images) => update::execute(global, images, report).await,
        Command::Graph { language, images } => graph::execute(global, *language, images, report),
        Command::Export(export) => export::execute(global, export, report).await,
        Command::Test(bake) => test::execute(global, bake, report).await,
    }
}
