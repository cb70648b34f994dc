use crate::args::Global;
use crate::exit::{Ended, Exit};
use crate::project::{Project, short};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::key::Field;
use kiln_engine::plan::Planned;
use petgraph::graph::NodeIndex;

pub(crate) async fn execute(
    global: &Global,
    node: &str,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let projects = Project::read(global, &recipes).await?;
    for project in &projects {
        let place = project.scope(&projects);
        if !place.shown().is_empty() {
            report.text(&format!("in {}:", place.shown()));
        }
        explain(project, node, report).await?;
    }
    Ok(Exit::Done)
}

async fn explain(project: &Project<'_>, node: &str, report: &Report) -> Result<(), Vec<Error>> {
    let index = project.index().await?;
    let plan = project.plan(index.as_ref()).await?;
    let graph = project.keyed.graph();
    let (from, to) = match (graph.find(node), project.images().next()) {
        (Some(index), _) => (index, index),
        // An image: everything from its base up to its last layer.
        (None, Some(entry)) if node == entry.image.name => (NodeIndex::new(0), entry.tip),
        _ => return Err(vec![unknown(project, node)]),
    };
    for (index, planned) in plan.nodes.range(from..=to) {
        let name = project.name(*index);
        match planned {
            Planned::Cached { key, .. } => {
                report.text(&format!("{name} is cached under {}", short(*key)));
                if let Some(record) = project.store.record(*key) {
                    report.text(&format!(
                        "  built in {:.1} s as {}",
                        seconds(record.ms),
                        record.node
                    ));
                }
            }
            Planned::Build { why, .. } => report.text(&format!("{name} is built: {why}")),
        }
        if from == to {
            let covered = project.keyed.fields(*index).unwrap_or_default();
            report.text("  its key covers:");
            covered.iter().for_each(|field| report.text(&format!("    {}", shown(field))));
        }
    }
    Ok(())
}

fn shown(field: &Field) -> String {
    let value = field.value.lines().next().unwrap_or_default();
    let more = if field.value.lines().count() > 1 { " …" } else { "" };
    let path = field.shown.as_deref().map(|path| format!(" ({path})")).unwrap_or_default();
    format!("{:>3}  {:14} {value}{more}{path}", field.op, field.name)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a build fit into 52 bits")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn unknown(project: &Project<'_>, node: &str) -> Error {
    let graph = project.keyed.graph();
    let image = node.split('/').next().unwrap_or(node);
    let names = graph.indices().map(|index| graph.node(index).name.to_string());
    let names: Vec<String> = names.filter(|name| name.starts_with(&format!("{image}/"))).collect();
    Error::input(format!("no layer is named `{node}`"))
        .help(format!("`{image}` has: {}", names.join(", ")))
}
