use super::interruption::interruption;
use super::owned::Owned;
use super::side_by_side;
use crate::args::{Bake as BakeArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::bake::{NodeOutcome, OnError, Outcome, Resolve};
use kiln_engine::driver::Builder;
use kiln_engine::{Error, Event};
use std::path::Path;
use std::time::Instant;
use tokio::sync::watch;

/// What became of the images of one place, and who has built them.
pub(super) struct Baked {
    pub(super) builder: Box<dyn Builder>,
    pub(super) outcome: Outcome,
}

/// Of each place, in the order of the projects; `None`: that failed as a whole, and has been reported.
pub(super) type Bakes = Vec<Option<Baked>>;

pub(crate) async fn execute(
    global: &Global,
    args: &BakeArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let mut projects = Project::read(global, &recipes).await?;
    let interrupted = interruption(report.clone());
    let resolve = |project: &Project<'_>| may_resolve(global, project);
    let how = (args.on_error.into(), &resolve as &dyn Fn(&Project<'_>) -> Resolve);
    let bakes = bake(global, how, &mut projects, interrupted, report).await?;
    let counts = tell(&projects, &bakes, args.packer_manifest.as_deref(), report)?;
    report.summary(counts, 0, started.elapsed());
    Ok(if counts.2 == 0 { Exit::Done } else { Exit::Failed })
}

/// Builds at all places, and says how many nodes are looked at.
///
/// # Errors
/// What keeps it from starting at any of them; when it fails as a whole at all of them.
pub(super) async fn bake(
    global: &Global,
    how: (OnError, &dyn Fn(&Project<'_>) -> Resolve),
    projects: &mut [Project<'_>],
    interrupted: watch::Receiver<bool>,
    report: &Report,
) -> Result<Bakes, Vec<Error>> {
    report.started(projects.iter().map(|project| project.wanted.len()).sum());
    side_by_side::bake(global, how, projects.iter_mut().collect(), interrupted, report).await
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

/// Says what each complete image became, to Packer's readers too where they were asked for. Where there are several
/// places, also how much was done at each. Built, cached and failed nodes; a place that failed as a whole is one.
pub(super) fn tell(
    projects: &[Project<'_>],
    bakes: &[Option<Baked>],
    packer_manifest: Option<&Path>,
    report: &Report,
) -> Result<(usize, usize, usize), Vec<Error>> {
    let one = |error: Error| vec![error];
    let done: Vec<(&Project<'_>, &Outcome)> = projects
        .iter()
        .zip(bakes)
        .filter_map(|(project, baked)| Some((project, &baked.as_ref()?.outcome)))
        .collect();
    if let Some(path) = packer_manifest {
        let owned = Owned::new(path);
        super::packer_manifest::write(path, &done).map_err(one)?;
        owned.hand_over().map_err(one)?;
    }
    let mut counts = (0, 0, bakes.len() - done.len());
    for (project, outcome) in &done {
        let report = report.at(project.scope(projects));
        images(project, outcome, &report);
        let (built, cached, failed) = outcome.counts();
        if projects.len() > 1 {
            report.event(Event::Baked { built, cached, failed });
        }
        counts = (counts.0 + built, counts.1 + cached, counts.2 + failed);
    }
    Ok(counts)
}

/// Says what each complete image became.
pub(super) fn images(project: &Project<'_>, outcome: &Outcome, report: &Report) {
    for entry in project.images() {
        if let Some(NodeOutcome::Cached { artifact, .. } | NodeOutcome::Built { artifact, .. }) =
            outcome.nodes.get(&entry.tip)
        {
            report.event(Event::Image {
                image: entry.image.name.clone(),
                artifact: artifact.id.clone(),
                digest: artifact.output.map(|digest| digest.to_string()),
            });
        }
    }
}
