use super::bake::Baked;
use super::interruption::interruption;
use super::side_by_side;
use crate::args::{Deploy as DeployArgs, Format, Global};
use crate::deployments::{self, Baking, Survey, plan_file::PlanFile, text};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::{Report, Scope};
use kiln_engine::bake::{OnError, Resolve};
use kiln_engine::deploy::{ArtifactState, Outcome, Run, Work};
use kiln_engine::{Error, ErrorKind, Event};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;
use tokio::sync::watch;

/// Makes what runs as declared, after it has baked what that needs.
pub(crate) async fn execute(
    global: &Global,
    args: &DeployArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let one = |error: Error| vec![error];
    let file = plan_file(&args.names, &recipes).map_err(one)?;
    let names = file.as_ref().map_or(&args.names, |file| &file.names);
    let recipes = recipes.of(names);
    if recipes.document.deployments().is_empty() && names.is_empty() {
        return Err(one(Error::input("the recipes have no deployment")
            .help("declare one with `deployment!`; `bake` builds images")));
    }
    let interrupted = interruption(report.clone());
    let lease_time = Some(args.change.lease_time());
    let address = super::address(global, &args.change.state);
    let state = super::state(global, &args.change.state, lease_time, &recipes).await?;
    let mut survey = deployments::survey(global, &recipes, state.as_ref(), &interrupted).await?;
    if let Some(file) = &file {
        file.still_fits(&survey, &address).map_err(one)?;
    }
    if global.format == Format::Text {
        text::plan(&survey, report);
    }
    let nodes: usize = text::bakings(&survey).map(|baking| baking.project.wanted.len()).sum();
    report.started(nodes);
    let to_build: usize = text::bakings(&survey).map(Baking::to_build).sum();
    if survey.plan.work().next().is_none() && to_build == 0 {
        report.summary((0, nodes, 0), 0, started.elapsed());
        return Ok(Exit::Done);
    }
    if file.is_none()
        && !global.yes
        && !deployments::agreed(global, "Deploy?", "deploys").map_err(one)?
    {
        report.text("nothing was changed");
        return Ok(Exit::Done);
    }
    let (built, cached, mut failed) =
        bake_missing(global, &mut survey, &interrupted, report).await?;
    if *interrupted.borrow() {
        return Err(one(Error::interrupted().help("what was baked stays; nothing was deployed")));
    }
    let jobs = global.jobs.map_or_else(|| jobs(&survey), usize::from);
    // What somebody has looked at is what was agreed to; `--yes` is for whatever the recipes say.
    let exact = file.is_some() || !global.yes;
    let options = deployments::options(&args.change, jobs, exact, interrupted);
    for name in unbaked(&survey) {
        report.warning(&format!("`{name}` stays as it is: its image was not baked"));
    }
    let run =
        Run { state: state.as_ref(), events: &|event| report.event(event), options: &options };
    let outcomes = run.deploy(&work(&survey)).await;
    let mut deployed = BTreeSet::new();
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Unchanged => report.text(&format!("{name}: as declared when its turn came")),
            Outcome::Deployed { .. } | Outcome::Adjusted { .. } => {
                deployed.insert(name);
            }
            Outcome::Failed(_) => failed += 1,
        }
    }
    outputs(&survey, &deployed, report).await;
    report.summary((built, cached, failed), deployed.len(), started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// The plan that is named instead of deployments: the only word, and a file.
fn plan_file(names: &[String], recipes: &Recipes<'_>) -> Result<Option<PlanFile>, Error> {
    match names {
        [name] if recipes.deployment(name).is_none() && Path::new(name).is_file() => {
            PlanFile::read(Path::new(name), recipes).map(Some)
        }
        [name] if recipes.deployment(name).is_none() && name.contains(['/', '.']) => {
            let message = format!("`{name}` is neither a deployment nor a file");
            Err(Error::input(message).help("`cargo xtask plan --out FILE` writes a plan"))
        }
        _ => Ok(None),
    }
}

/// Bakes what is missing, side by side where there are several places, and takes what it became into the survey. Built,
/// cached and failed nodes.
async fn bake_missing(
    global: &Global,
    survey: &mut Survey<'_>,
    interrupted: &watch::Receiver<bool>,
    report: &Report,
) -> Result<(usize, usize, usize), Vec<Error>> {
    let mut counts = (0, 0, 0);
    let is_ready = !work(survey).is_empty();
    let all = survey.regions.iter_mut().flat_map(|region| &mut region.bakes);
    let (missing, there): (Vec<_>, Vec<_>) = all.partition(|baking| baking.to_build() > 0);
    counts.1 += there.iter().map(|baking| baking.project.wanted.len()).sum::<usize>();
    if missing.is_empty() {
        return Ok(counts);
    }
    let projects = missing.into_iter().map(|baking| &mut baking.project).collect();
    let resolve = |project: &Project<'_>| super::bake::may_resolve(global, project);
    let how = (OnError::Cleanup, &resolve as &dyn Fn(&Project<'_>) -> Resolve);
    let bakes = match side_by_side::bake(global, how, projects, interrupted.clone(), report).await {
        Ok(bakes) => bakes,
        // What needs no bake is deployed all the same.
        Err(errors) if is_ready && errors.iter().all(|e| e.kind() == ErrorKind::Environment) => {
            errors.iter().for_each(|error| report.error(error));
            counts.2 += errors.len();
            return Ok(counts);
        }
        Err(errors) => return Err(errors),
    };
    let scopes: Vec<Scope> = text::bakings(survey)
        .map(|baking| baking.project.scope(text::bakings(survey).map(|other| &other.project)))
        .collect();
    let (mut bakes, mut scopes) = (bakes.into_iter(), scopes.into_iter());
    for region in &mut survey.regions {
        for baking in &region.bakes {
            let scope = scopes.next();
            if baking.to_build() == 0 {
                continue;
            }
            let Some(Some(Baked { outcome, .. })) = bakes.next() else {
                counts.2 += 1;
                continue;
            };
            let (built, cached, failed) = outcome.counts();
            counts = (counts.0 + built, counts.1 + cached, counts.2 + failed);
            let report = scope.map_or_else(|| report.clone(), |scope| report.at(scope));
            super::bake::images(&baking.project, &outcome, &report);
            for desired in &mut region.desired {
                if let ArtifactState::AfterBake { .. } = desired.image.artifact
                    && baking.is_for(&desired.node)
                    && let Some(image) = baking.baked(&desired.image, &outcome)
                {
                    desired.image = image;
                }
            }
        }
    }
    Ok(counts)
}

/// What is planned, of the deployments whose image is there now.
fn work<'s>(survey: &'s Survey<'_>) -> Vec<Work<'s>> {
    let find = |place: &str, name: &str| {
        let region = survey.regions.iter().find(|region| region.name == place)?;
        let desired = region.desired.iter().find(|desired| desired.node.name == name)?;
        Some((region.deployer.as_ref(), desired))
    };
    let planned = survey.plan.work().filter_map(|planned| {
        let (deployer, desired) = find(&planned.place, &planned.deployment)?;
        desired.image.artifact()?;
        Some(Work { deployer, desired, planned })
    });
    planned.collect()
}

/// The deployments that would be changed, had their image been baked.
fn unbaked<'s>(survey: &'s Survey<'_>) -> impl Iterator<Item = &'s str> {
    let all = survey.regions.iter().flat_map(|region| &region.desired);
    all.filter(|desired| desired.image.artifact().is_none())
        .map(|desired| desired.node.name.as_str())
}

fn jobs(survey: &Survey<'_>) -> usize {
    survey.regions.iter().map(|region| region.driver.jobs()).max().unwrap_or(1)
}

/// How the deployments that changed are reached now.
async fn outputs(survey: &Survey<'_>, deployed: &BTreeSet<String>, report: &Report) {
    for region in &survey.regions {
        if !region.nodes.iter().any(|node| deployed.contains(&node.name)) {
            continue;
        }
        match region.deployer.observe().await {
            Err(error) => {
                report.warning(&format!("cannot say how they are reached: {}", error.chain()))
            }
            Ok(observed) => {
                for found in
                    observed.into_iter().filter(|found| deployed.contains(&found.deployment))
                {
                    let (deployment, outputs) = (found.deployment, found.outputs);
                    report.event(Event::Outputs { deployment, outputs });
                }
            }
        }
    }
}
