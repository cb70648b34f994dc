use crate::args::{Format, Global, Plan as PlanArgs};
use crate::deployments::{self, join_all, json, plan_file::PlanFile, text};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::plan::Plan;
use serde_json::json;
use tokio::sync::watch;

/// Of deployments with the images that they need; of images where only these are named, or there is nothing else.
pub(crate) async fn execute(
    global: &Global,
    args: &PlanArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let deployments = recipes.document.deployments();
    let is_deployment = |name: &String| recipes.deployment(name).is_some();
    let is_image =
        |name: &String| recipes.document.images().iter().any(|image| image.name == *name);
    let unknown = args.names.iter().filter(|name| !is_image(name) && !is_deployment(name));
    let errors: Vec<Error> = unknown.map(|name| recipes.unknown(name)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    if deployments.is_empty() || (!args.names.is_empty() && !args.names.iter().any(is_deployment)) {
        if args.out.is_some() {
            return Err(vec![
                Error::input("a plan of images alone is not written down")
                    .help("`bake` does what it says; `--out` is for deployments"),
            ]);
        }
        return of_images(global, args, recipes, report).await;
    }
    if let Some(image) = args.names.iter().find(|name| !is_deployment(name)) {
        let message = format!("`{image}` is an image, and deployments are named beside it");
        return Err(vec![
            Error::input(message)
                .help("leave it out, or plan it apart: a deployment's plan has its image in it"),
        ]);
    }
    // Ctrl-C ends what only looks.
    let (_never, interrupted) = watch::channel(false);
    let state = super::state(global, &args.state, None, &recipes).await?;
    let survey = deployments::survey(global, &recipes, state.as_ref(), &interrupted).await?;
    if let Some(path) = &args.out {
        let owned = super::owned::Owned::new(path);
        PlanFile::of(&recipes, &survey, super::address(global, &args.state))
            .write(path)
            .map_err(|error| vec![error])?;
        owned.hand_over().map_err(|error| vec![error])?;
    }
    match global.format {
        Format::Text => text::plan(&survey, report),
        Format::Json => report.document(&json::plan(&survey)),
    }
    let build: usize = text::bakings(&survey).map(deployments::Baking::to_build).sum();
    let is_work = survey.plan.work().next().is_some() || build > 0;
    Ok(if args.detailed_exitcode && is_work { Exit::Changes } else { Exit::Done })
}

async fn of_images(
    global: &Global,
    args: &PlanArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let projects = Project::read(global, &recipes).await?;
    let plans =
        join_all(projects.iter().map(async |project: &Project<'_>| {
            project.plan(project.index().await?.as_ref()).await
        }));
    let plans: Vec<Plan> = plans.await.into_iter().collect::<Result<_, Vec<Error>>>()?;
    let build: usize = plans.iter().map(Plan::to_build).sum();
    let all: usize = plans.iter().map(|plan| plan.nodes.len()).sum();
    let planned = || projects.iter().zip(&plans);
    match global.format {
        Format::Text => {
            for (project, plan) in planned() {
                text::layers(project, plan, project.scope(&projects).shown(), report);
            }
            report.text(&match build {
                0 => "\nNothing to do: everything is cached.".to_owned(),
                _ => format!("\nPlan: {build} to build, {} cached.", all - build),
            });
        }
        Format::Json => report.document(&json!({
            "version": json::VERSION,
            "build": build,
            "cached": all - build,
            "nodes": planned()
                .flat_map(|(project, plan)| json::nodes(project, plan))
                .collect::<Vec<_>>(),
            "create": 0,
            "roll": 0,
            "change": 0,
            "destroy": 0,
            "deployments": [],
        })),
    }
    let changes = args.detailed_exitcode && build > 0;
    Ok(if changes { Exit::Changes } else { Exit::Done })
}
