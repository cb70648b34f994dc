use super::interruption::interruption;
use crate::args::{Bake as BakeArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::driver::TestPlan;
use std::time::Instant;

pub(crate) async fn execute(
    global: &Global,
    args: &BakeArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let mut project = Project::read(global, recipes).await?;
    let interrupted = interruption(report.clone());
    let builder = project.builder(interrupted.clone()).await?;
    let how = (args.on_error.into(), super::bake::may_resolve(global, &project));
    report.started(project.wanted.len());
    let outcome =
        super::bake::bake(global, how, &mut project, builder.as_ref(), interrupted, report).await?;
    super::bake::images(&project, &outcome, args.packer_manifest.as_deref(), report)?;
    let (built, cached, mut failed) = outcome.counts();
    for entry in project.images() {
        let Some(artifact) = outcome.artifact(entry.tip) else { continue };
        let image = &entry.image;
        if image.tests.is_empty() {
            continue;
        }
        let settings = project.keyed.graph().node(entry.tip).settings();
        let outcomes = builder.test(artifact, &TestPlan::of(image), &settings, &|_| ()).await;
        let outcomes = outcomes.map_err(|error| vec![error.at(&image.origin)])?;
        for (test, outcome) in image.tests.iter().zip(outcomes) {
            failed += usize::from(outcome.failure.is_some());
            report.event(outcome.event(&image.name, test));
        }
    }
    report.summary((built, cached, failed), 0, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
