//! Plans in words.

use super::Survey;
use crate::project::{Project, short};
use crate::report::Report;
use kiln_engine::deploy::{Change, Plan, PlannedDeployment};
use kiln_engine::plan::{self as bake, Planned};

/// So many deployments without any change are named; of more, only their number.
const NAMED: usize = 20;

/// The whole plan: what is baked, what becomes of each deployment and why, and how much it is.
pub(crate) fn plan(survey: &Survey<'_>, report: &Report) {
    let several = survey.regions.len() > 1;
    for baking in bakings(survey).filter(|baking| baking.to_build() > 0) {
        let others = bakings(survey).map(|other| &other.project);
        if let Some(plan) = &baking.plan {
            layers(&baking.project, plan, baking.project.scope(others).shown(), report);
            report.text("");
        }
    }
    deployments(&survey.plan, several, report);
    let build: usize = bakings(survey).map(|baking| baking.to_build()).sum();
    report.text(&summary(&survey.plan, build));
}

/// All that is baked for the survey's deployments.
pub(crate) fn bakings<'s>(survey: &'s Survey<'_>) -> impl Iterator<Item = &'s super::Baking<'s>> {
    survey.regions.iter().flat_map(|region| &region.bakes)
}

/// One line a layer. `place`: where, where there are several.
pub(crate) fn layers(project: &Project<'_>, plan: &bake::Plan, place: &str, report: &Report) {
    let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
    let width = plan.nodes.keys().map(|index| project.name(*index).layer.len()).max().unwrap_or(0);
    let mut image = "";
    for (index, planned) in &plan.nodes {
        let name = project.name(*index);
        if name.image != image {
            image = &name.image;
            report.text(&format!("{image}{place}"));
        }
        let layer = &name.layer;
        report.text(&match planned {
            Planned::Cached { key, .. } => format!("  = {layer:width$}  cached  {}", short(*key)),
            Planned::Build { why, .. } => format!("  + {layer:width$}  builds  {why}"),
        });
    }
}

fn deployments(plan: &Plan, several: bool, report: &Report) {
    let quiet = plan.deployments.iter().filter(|planned| is_quiet(planned)).count();
    let is_shown = |planned: &&PlannedDeployment| quiet <= NAMED || !is_quiet(planned);
    let shown: Vec<&PlannedDeployment> = plan.deployments.iter().filter(is_shown).collect();
    let name = |planned: &PlannedDeployment| match several {
        true => format!("{} ({})", planned.deployment, planned.place),
        false => planned.deployment.clone(),
    };
    let width = shown.iter().map(|planned| name(planned).chars().count()).max().unwrap_or(0);
    for planned in &shown {
        report.text(&format!("{:width$}  {}", name(planned), change(planned, &planned.change)));
        planned.reasons.iter().for_each(|reason| report.text(&format!("  {reason}")));
    }
    if quiet > NAMED {
        report.text(&format!("{quiet} others: no change"));
    }
}

fn is_quiet(planned: &PlannedDeployment) -> bool {
    planned.change == Change::Nothing && planned.reasons.is_empty()
}

/// What is done, as a predicate of the deployment.
fn change(planned: &PlannedDeployment, change: &Change) -> String {
    match change {
        Change::Nothing => "no change".into(),
        Change::Create { to } => format!("is created: generation {to}"),
        Change::Roll { from, to } => {
            let from: Vec<String> = from.iter().map(ToString::to_string).collect();
            format!("rolls: generation {} → {to}", from.join(", "))
        }
        Change::Adjust { generation } => format!("changes in place: generation {generation}"),
        Change::Mend { generation } => format!("is mended: generation {generation}"),
        Change::Recreate { to } => format!("is made again: generation {to}"),
        Change::Unfinished { generation, goes_on: true, .. } => {
            format!("goes on with generation {generation}, which was begun")
        }
        Change::Unfinished { generation, goes_on: false, then } => {
            let then = self::change(planned, then);
            format!("undoes generation {generation}, which was begun; then {then}")
        }
        Change::Orphan { .. } => {
            // In another region the recipes may have one of the same name.
            let PlannedDeployment { deployment, place, .. } = planned;
            format!(
                "runs and is not in the recipes: `destroy {deployment} --region {place}` removes it"
            )
        }
    }
}

fn summary(plan: &Plan, build: usize) -> String {
    if plan.work().next().is_none() && build == 0 {
        return "\nNo changes: what runs is what is declared.".into();
    }
    let counts = plan.counts();
    let bakes = match build {
        0 => String::new(),
        build => format!("{build} to build, "),
    };
    format!(
        "\nPlan: {bakes}{} to create, {} to roll, {} to change, 0 to destroy.",
        counts.create, counts.roll, counts.change
    )
}
