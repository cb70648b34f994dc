use super::interruption::interruption;
use crate::args::{Global, Images};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::bake::{OnError, Resolve};
use kiln_engine::lock::{LockFile, changes_of};
use std::collections::BTreeSet;
use std::sync::Arc;
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
    let mut projects = Project::read(global, &recipes).await?;
    let interrupted = interruption(report.clone());
    // All have the same one.
    let lock = Arc::clone(&projects[0].lock);
    let before = lock.entries();
    for project in &mut projects {
        lock.refresh(project.keyed.entries());
    }
    projects.iter_mut().for_each(|project| project.keyed.relock(&lock));
    let how: (OnError, &dyn Fn(&Project<'_>) -> Resolve) =
        (OnError::Cleanup, &|_| Resolve::Everything);
    let bakes = super::bake::bake(global, how, &mut projects, interrupted, report).await?;
    let counts = super::bake::tell(&projects, &bakes, None, report)?;
    if args.images.is_empty() && counts.2 == 0 {
        drop_unasked(global, &recipes, &projects, &lock).await;
    }
    lock.save().map_err(|error| vec![error])?;
    let changed = changes_of(&before, &lock.entries());
    if changed.is_empty() {
        report.text("kiln.lock is up to date");
    }
    for (id, changes) in &changed {
        report.text(&format!("{id}"));
        changes.iter().for_each(|change| report.text(&format!("  {change}")));
    }
    report.summary(counts, 0, started.elapsed());
    Ok(if counts.2 == 0 { Exit::Done } else { Exit::Failed })
}

/// Drops the entries of the builders that were asked which no image would ask them for, were it built by them: one that
/// says who builds it may have been built by another with `--builder`. Of a builder of which that cannot be said,
/// nothing is dropped.
async fn drop_unasked(
    global: &Global,
    recipes: &Recipes<'_>,
    projects: &[Project<'_>],
    lock: &LockFile,
) {
    let builders: BTreeSet<&str> = projects.iter().map(|project| project.driver.name()).collect();
    for builder in builders {
        if let Ok(all) = Project::read(global, &recipes.by(builder)).await {
            let asked_for = all.iter().flat_map(|project| project.keyed.entries()).collect();
            lock.retain(builder, &asked_for);
        }
    }
}
