use crate::args::{Format, Global, Plan as PlanArgs};
use crate::exit::{Ended, Exit};
use crate::project::{Project, Recipes, short};
use crate::report::Report;
use kiln_engine::plan::{Plan, Planned};
use serde_json::json;

pub(crate) async fn execute(
    global: &Global,
    args: &PlanArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let project = Project::read(global, recipes).await?;
    let index = project.index().await?;
    let plan = project.plan(index.as_ref()).await?;
    match global.format {
        Format::Text => text(&project, &plan, report),
        Format::Json => report.document(&document(&project, &plan)),
    }
    let changes = args.detailed_exitcode && plan.to_build() > 0;
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

fn text(project: &Project<'_>, plan: &Plan, report: &Report) {
    let mut image = "";
    let width = plan.nodes.keys().map(|index| project.name(*index).layer.len()).max().unwrap_or(0);
    for (index, planned) in &plan.nodes {
        let name = project.name(*index);
        if name.image != image {
            image = &name.image;
            report.text(image);
        }
        let layer = &name.layer;
        report.text(&match planned {
            Planned::Cached { key, .. } => format!("  = {layer:width$}  cached  {}", short(*key)),
            Planned::Build { why, .. } => format!("  + {layer:width$}  builds  {why}"),
        });
    }
    let build = plan.to_build();
    report.text(&match build {
        0 => "\nNothing to do: everything is cached.".to_owned(),
        _ => format!("\nPlan: {build} to build, {} cached.", plan.nodes.len() - build),
    });
}

fn document(project: &Project<'_>, plan: &Plan) -> serde_json::Value {
    let nodes = plan.nodes.iter().map(|(index, planned)| {
        let name = project.name(*index);
        match planned {
            Planned::Cached { key, artifact } => json!({
                "image": name.image, "layer": name.layer, "action": "cached",
                "key": key.to_string(), "artifact": artifact.id,
            }),
            Planned::Build { key, why } => json!({
                "image": name.image, "layer": name.layer, "action": "build",
                "key": key.map(|key| key.to_string()), "why": why.to_string(),
            }),
        }
    });
    let build = plan.to_build();
    json!({
        "version": kiln_engine::Event::VERSION,
        "build": build,
        "cached": plan.nodes.len() - build,
        "nodes": nodes.collect::<Vec<_>>(),
    })
}
