use super::bake::Baked;
use super::interruption::interruption;
use crate::args::{Bake as BakeArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::bake::Resolve;
use kiln_engine::driver::TestPlan;
use std::time::Instant;

pub(crate) async fn execute(
    global: &Global,
    args: &BakeArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let mut projects = Project::read(global, &recipes).await?;
    let interrupted = interruption(report.clone());
    let resolve = |project: &Project<'_>| super::bake::may_resolve(global, project);
    let how = (args.on_error.into(), &resolve as &dyn Fn(&Project<'_>) -> Resolve);
    let bakes = super::bake::bake(global, how, &mut projects, interrupted, report).await?;
    let packer_manifest = args.packer_manifest.as_deref();
    let (built, cached, mut failed) =
        super::bake::tell(&projects, &bakes, packer_manifest, report)?;
    for (project, baked) in projects.iter().zip(&bakes) {
        let Some(Baked { builder, outcome }) = baked else { continue };
        let report = report.at(project.scope(&projects));
        for entry in project.images().filter(|entry| !entry.image.tests.is_empty()) {
            let Some(artifact) = outcome.artifact(entry.tip) else { continue };
            let image = &entry.image;
            let settings = project.keyed.graph().node(entry.tip).settings();
            let outcomes = builder.test(artifact, &TestPlan::of(image), &settings, &|_| ()).await;
            let outcomes = outcomes.map_err(|error| vec![error.at(&image.origin)])?;
            for (test, outcome) in image.tests.iter().zip(outcomes) {
                failed += usize::from(outcome.failure.is_some());
                report.event(outcome.event(&image.name, test));
            }
        }
    }
    report.summary((built, cached, failed), 0, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
