use super::bake::Baked;
use super::interruption::interruption;
use super::owned::Owned;
use crate::args::{Export as ExportArgs, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::bake::{OnError, Resolve};
use kiln_sandbox::{ExportSpec, Sandbox, oci};
use std::path::PathBuf;
use std::time::Instant;

pub(crate) async fn execute(
    global: &Global,
    args: &ExportArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let one = |error: Error| vec![error];
    let to = args.output.clone().unwrap_or_else(|| PathBuf::from("out").join(&args.image));
    oci::check(&to, &args.tag).map_err(one)?;
    // Of the builder that is here, which has one place.
    let mut projects = Project::read(global, &recipes).await?;
    let sandbox = Sandbox::open(&global.store).map_err(one)?;
    let interrupted = interruption(report.clone());
    let resolve = |project: &Project<'_>| super::bake::may_resolve(global, project);
    let how = (OnError::Cleanup, &resolve as &dyn Fn(&Project<'_>) -> Resolve);
    let mut bakes = super::bake::bake(global, how, &mut projects, interrupted, report).await?;
    let (Some(project), Some(Some(Baked { outcome, .. }))) = (projects.pop(), bakes.pop()) else {
        return Ok(Exit::Failed);
    };
    let (built, cached, failed) = outcome.counts();
    for entry in project.images() {
        let Some(artifact) = outcome.artifact(entry.tip) else { continue };
        let image = &entry.image;
        let names = project.wanted.iter().map(|index| project.name(*index).to_string()).collect();
        let spec = ExportSpec { env: image.env.clone(), start: image.start.clone(), names };
        let owned = Owned::new(&to);
        let exported = sandbox.export(artifact, &spec, &to, &args.tag).map_err(one)?;
        owned.hand_over().map_err(one)?;
        let to = to.display();
        report.text(&format!("{to}:{}  {}", args.tag, exported.manifest_digest));
    }
    report.summary((built, cached, failed), 0, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
