use super::interruption::interruption;
use crate::args::{Global, Images};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::bake::{OnError, Resolve};
use kiln_engine::lock::changes_of;
use std::time::Instant;

/// Resolves again by building what asks: what a package needs depends on what it is installed on.
pub(crate) async fn execute(
    global: &Global,
    args: &Images,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    if global.locked {
        return Err(vec![
            Error::input("`update` changes kiln.lock, and `--locked` is set")
                .help("leave one of them out"),
        ]);
    }
    let started = Instant::now();
    let mut project = Project::read(global, recipes).await?;
    let interrupted = interruption(report.clone());
    let builder = project.builder(interrupted.clone()).await?;
    let before = project.lock.entries();
    project.lock.refresh(project.keyed.entries());
    project.keyed.relock(&project.lock);
    report.started(project.wanted.len());
    let outcome = super::bake::bake(
        global,
        (OnError::Cleanup, Resolve::Everything),
        &mut project,
        builder.as_ref(),
        interrupted,
        report,
    )
    .await?;
    super::bake::images(&project, &outcome, None, report)?;
    let (built, cached, failed) = outcome.counts();
    if args.images.is_empty() && failed == 0 {
        project.lock.retain(project.driver.name(), &project.keyed.entries());
    }
    project.lock.save().map_err(|error| vec![error])?;
    let after = project.lock.entries();
    let changed = changes_of(&before, &after);
    if changed.is_empty() {
        report.text("kiln.lock is up to date");
    }
    for (id, changes) in &changed {
        report.text(&format!("{id}"));
        changes.iter().for_each(|change| report.text(&format!("  {change}")));
    }
    report.summary((built, cached, failed), 0, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
