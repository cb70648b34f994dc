//! The documents that programs read.

use super::Survey;
use crate::project::Project;
use kiln_engine::key::Target;
use kiln_engine::plan::{Plan, Planned};
use serde_json::{Value, json};

/// Of the documents of plan, status, history and output. It changes when a field changes its meaning or goes.
pub(crate) const VERSION: u32 = 1;

/// A plan: of images, of deployments, or of both.
pub(crate) fn plan(survey: &Survey<'_>) -> Value {
    let (mut all, mut build, mut total) = (Vec::new(), 0, 0);
    for region in &survey.regions {
        for baking in &region.bakes {
            let Some(plan) = &baking.plan else { continue };
            all.extend(nodes(&baking.project, plan));
            build += plan.to_build();
            total += plan.nodes.len();
        }
    }
    let counts = survey.plan.counts();
    json!({
        "version": VERSION,
        "build": build,
        "cached": total - build,
        "nodes": all,
        "create": counts.create,
        "roll": counts.roll,
        "change": counts.change,
        "destroy": 0,
        "deployments": survey.plan.deployments,
    })
}

/// The layers, bases and images of a plan.
pub(crate) fn nodes<'p>(
    project: &'p Project<'_>,
    plan: &'p Plan,
) -> impl Iterator<Item = Value> + use<'p> {
    let Target { builder, place, architecture } = project.keyed.target().clone();
    plan.nodes.iter().map(move |(index, planned)| {
        let name = project.name(*index);
        match planned {
            Planned::Cached { key, artifact } => json!({
                "image": name.image, "layer": name.layer, "builder": builder, "place": place,
                "architecture": architecture, "action": "cached", "key": key.to_string(), "artifact": artifact.id,
            }),
            Planned::Build { key, why } => json!({
                "image": name.image, "layer": name.layer, "builder": builder, "place": place,
                "architecture": architecture, "action": "build", "key": key.map(|key| key.to_string()), "why": why.to_string(),
            }),
        }
    })
}
