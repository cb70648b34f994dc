use crate::args::Global;
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;

use std::collections::BTreeSet;

/// The Document was made, so the recipes compile; reading the inputs finds what only values show.
pub(crate) fn execute(global: &Global, recipes: Recipes<'_>, report: &Report) -> Ended {
    let projects = Project::read_recipes(global, &recipes, true)?;
    let nodes =
        projects.iter().flat_map(|project| project.wanted.iter().map(|index| project.name(*index)));
    let nodes: BTreeSet<_> = nodes.collect();
    let mut text =
        format!("{} images, {} layers and bases", recipes.document.images().len(), nodes.len());
    match recipes.document.deployments().len() {
        0 => {}
        1 => text.push_str(", 1 deployment"),
        many => text.push_str(&format!(", {many} deployments")),
    }
    report.text(&format!("{text}: no mistakes"));
    Ok(Exit::Done)
}
