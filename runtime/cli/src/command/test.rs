use crate::args::{Bake as BakeArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::report::Report;
use kiln_engine::Event;
use kiln_engine::driver::{Builder, TestPlan};
use kiln_sandbox::Sandbox;
use std::time::Instant;

pub(crate) async fn execute(global: &Global, args: &BakeArgs, report: &Report) -> Ended {
    let started = Instant::now();
    let mut project = Project::read(global, &args.images.images)?;
    let sandbox = Sandbox::open(project.store.root()).map_err(|error| vec![error])?;
    let outcome =
        super::bake::bake(global, args.on_error.into(), &mut project, &sandbox, report).await?;
    super::bake::images(&project, &outcome, report);
    let (built, cached, mut failed) = outcome.counts();
    for entry in project.images() {
        let Some(artifact) = outcome.artifact(entry.tip) else { continue };
        let image = &entry.image;
        if image.tests.is_empty() {
            continue;
        }
        let plan = TestPlan {
            start: image.start.clone(),
            env: image.env.clone(),
            tests: image.tests.clone(),
        };
        let outcomes = sandbox.test(artifact, &plan, &|_| ()).await;
        let outcomes = outcomes.map_err(|error| vec![error.at(&image.origin)])?;
        for (test, outcome) in image.tests.iter().zip(outcomes) {
            failed += usize::from(outcome.failure.is_some());
            report.event(Event::Test {
                image: image.name.clone(),
                test: test.name.clone(),
                origin: test.origin.clone(),
                ms: u64::try_from(outcome.time.as_millis()).unwrap_or(u64::MAX),
                failure: outcome.failure,
                output: outcome.output,
            });
        }
    }
    report.summary(built, cached, failed, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
