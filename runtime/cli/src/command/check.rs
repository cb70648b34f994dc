use crate::args::Global;
use crate::exit::{Ended, Exit};
use crate::project::{Project, Recipes};
use crate::report::Report;

/// The Document was made, so the recipes compile; reading the project finds what only values show.
pub(crate) fn execute(global: &Global, recipes: Recipes<'_>, report: &Report) -> Ended {
    let project = Project::read_recipes(global, recipes)?;
    let images = project.images().count();
    report
        .text(&format!("{images} images, {} layers and bases: no mistakes", project.wanted.len()));
    Ok(Exit::Done)
}
