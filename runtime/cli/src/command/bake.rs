use super::interruption::interruption;
use super::owned::Owned;
use crate::args::{Bake as BakeArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::bake::{Bake, OnError, Options, Outcome, Resolve};
use kiln_engine::driver::Builder;
use kiln_engine::{Error, ErrorKind, Event};
use std::path::Path;
use std::time::Instant;
use tokio::sync::watch;

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
    let how = (args.on_error.into(), may_resolve(global, &project));
    report.started(project.wanted.len());
    let outcome = bake(global, how, &mut project, builder.as_ref(), interrupted, report).await?;
    images(&project, &outcome, args.packer_manifest.as_deref(), report)?;
    let (built, cached, failed) = outcome.counts();
    report.summary((built, cached, failed), 0, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// Plans and builds; again when something in the store proved damaged and was dropped.
pub(super) async fn bake(
    global: &Global,
    (on_error, resolve): (OnError, Resolve),
    project: &mut Project<'_>,
    builder: &dyn Builder,
    interrupted: watch::Receiver<bool>,
    report: &Report,
) -> Result<Outcome, Vec<Error>> {
    let jobs = global.jobs.map_or_else(|| project.driver.jobs(), usize::from);
    let options = Options { jobs, on_error, resolve, interrupted };
    // Each try drops at least one damaged layer, so the number of nodes bounds the tries.
    for _ in 0..=project.wanted.len() {
        let plan = project.plan(builder).await?;
        let bake = Bake {
            keyed: &project.keyed,
            builder,
            store: &project.store,
            lock: &project.lock,
            project: &project.path,
            events: &|event| report.event(event),
            options: &options,
        };
        let outcome = bake.run(&plan).await?;
        if !outcome.errors().any(|error| error.kind() == ErrorKind::Damaged) {
            return Ok(outcome);
        }
        project.keyed.relock(&project.lock);
    }
    Err(vec![
        Error::environment("the store keeps being damaged while it is used")
            .help("look at the machine's disk; then remove the store and bake again"),
    ])
}

/// A base of one's own is resolved when it is first baked; which of somebody else's is taken, a person
/// decides, by `update`.
pub(super) fn may_resolve(global: &Global, project: &Project<'_>) -> Resolve {
    match (global.locked, project.driver.publishes()) {
        (true, _) => Resolve::Nothing,
        (false, true) => Resolve::Packages,
        (false, false) => Resolve::Everything,
    }
}

/// Says what each complete image became, to Packer's readers too where they were asked for.
pub(super) fn images(
    project: &Project<'_>,
    outcome: &Outcome,
    packer_manifest: Option<&Path>,
    report: &Report,
) -> Result<(), Vec<Error>> {
    let one = |error: Error| vec![error];
    if let Some(path) = packer_manifest {
        let owned = Owned::new(path);
        super::packer_manifest::write(path, project, outcome).map_err(one)?;
        owned.hand_over().map_err(one)?;
    }
    for entry in project.images() {
        if let Some(artifact) = outcome.artifact(entry.tip) {
            report.event(Event::Image {
                image: entry.image.name.clone(),
                artifact: artifact.id.clone(),
                digest: artifact.output.map(|digest| digest.to_string()),
            });
        }
    }
    Ok(())
}
