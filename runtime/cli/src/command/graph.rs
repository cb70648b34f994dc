use crate::args::{Global, GraphFormat};
use crate::exit::{Ended, Exit};
use crate::project::{Project, Recipes};
use crate::report::Report;

pub(crate) fn execute(
    global: &Global,
    language: GraphFormat,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let project = Project::read_recipes(global, recipes)?;
    report.text(match language {
        GraphFormat::Dot => "digraph kiln {\n  rankdir=LR;\n  node [shape=box];",
        GraphFormat::Mermaid => "graph LR",
    });
    let graph = project.keyed.graph();
    for &index in &project.wanted {
        let (number, name) = (index.index(), project.name(index));
        // Names hold letters, digits, `_`, `.` and `-` only: neither language needs them escaped.
        report.text(&match language {
            GraphFormat::Dot => format!("  n{number} [label=\"{name}\"];"),
            GraphFormat::Mermaid => format!("  n{number}[\"{name}\"]"),
        });
        if let Some(parent) = graph.parent(index).map(|parent| parent.index()) {
            report.text(&match language {
                GraphFormat::Dot => format!("  n{parent} -> n{number};"),
                GraphFormat::Mermaid => format!("  n{parent} --> n{number}"),
            });
        }
    }
    if language == GraphFormat::Dot {
        report.text("}");
    }
    Ok(Exit::Done)
}
