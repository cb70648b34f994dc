//! One module per command.

mod bake;
mod check;
mod deploy;
mod destroy;
mod explain;
mod export;
mod gc;
mod graph;
mod history;
mod interruption;
mod output;
mod owned;
mod packer_manifest;
mod plan;
mod rollback;
mod side_by_side;
mod status;
mod test;
mod update;

use crate::args::{Args, Command, Global, StateArgs};
use crate::driver::EC2;
use crate::exit::Ended;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::driver::State;
use std::time::Duration;

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
        Command::Gc(args) => gc::execute(global, args, recipes, report).await,
        Command::Deploy(args) => deploy::execute(global, args, recipes, report).await,
        Command::Status(args) => status::execute(global, args, recipes, report).await,
        Command::History(args) => history::execute(global, args, recipes, report).await,
        Command::Rollback(args) => rollback::execute(global, args, recipes, report).await,
        Command::Destroy(args) => destroy::execute(global, args, recipes, report).await,
        Command::Output(args) => output::execute(global, args, recipes, report).await,
    }
}

/// Where the state of deployments is.
fn address(global: &Global, args: &StateArgs) -> String {
    match args.state.as_deref() {
        Some(address) if !address.is_empty() => address.to_owned(),
        _ => global.store.join("deployments").display().to_string(),
    }
}

/// The state of the project's deployments: where the arguments say, else beside the store. `lease_time`: for who changes something.
async fn state(
    global: &Global,
    args: &StateArgs,
    lease_time: Option<Duration>,
    recipes: &Recipes<'_>,
) -> Result<Box<dyn State>, Vec<Error>> {
    let address = address(global, args);
    let driver = recipes.driver_named(EC2)?;
    let project = recipes.document.project();
    let state = driver.state(&address, project, lease_time.unwrap_or_default()).await;
    state.map_err(|error| vec![error])
}
