use crate::args::{Global, GraphFormat};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln::DeploymentNode;

/// Layers and bases of each builder's images, and below the images what runs them.
pub(crate) fn execute(
    global: &Global,
    language: GraphFormat,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let projects = Project::read_recipes(global, &recipes, false)?;
    report.text(match language {
        GraphFormat::Dot => "digraph kiln {\n  rankdir=LR;\n  node [shape=box];",
        GraphFormat::Mermaid => "graph LR",
    });
    // Names hold letters, digits, `_`, `.` and `-` only: neither language needs them escaped.
    let node = |number: usize, label: &str| match language {
        GraphFormat::Dot => format!("  n{number} [label=\"{label}\"];"),
        GraphFormat::Mermaid => format!("  n{number}[\"{label}\"]"),
    };
    let edge = |from: usize, to: usize| match language {
        GraphFormat::Dot => format!("  n{from} -> n{to};"),
        GraphFormat::Mermaid => format!("  n{from} --> n{to}"),
    };
    let mut first = 0;
    for project in &projects {
        let graph = project.keyed.graph();
        // An image may stand on one that another builder has, too.
        let of = match projects.len() {
            1 => String::new(),
            _ => format!(" ({})", project.driver.name()),
        };
        for &index in &project.wanted {
            let number = first + index.index();
            report.text(&node(number, &format!("{}{of}", project.name(index))));
            if let Some(parent) = graph.parent(index) {
                report.text(&edge(first + parent.index(), number));
            }
        }
        first += graph.len();
    }
    let all: usize = projects.iter().map(|project| project.keyed.graph().len()).sum();
    for (number, deployment) in recipes.document.deployments().iter().enumerate() {
        if let Some(image) = image(&projects, &recipes, deployment) {
            report.text(&node(all + number, &deployment.name));
            report.text(&edge(image, all + number));
        }
    }
    if language == GraphFormat::Dot {
        report.text("}");
    }
    Ok(Exit::Done)
}

/// The number of the node that completes a deployment's image, where that is shown.
fn image(
    projects: &[Project<'_>],
    recipes: &Recipes<'_>,
    deployment: &DeploymentNode,
) -> Option<usize> {
    let name = &recipes.document.images().get(deployment.image)?.name;
    let mut first = 0;
    for project in projects {
        if let Some(entry) = project.images().find(|entry| entry.image.name == *name) {
            return Some(first + entry.tip.index());
        }
        first += project.keyed.graph().len();
    }
    None
}
