use crate::args::{Format, Global, Look};
use crate::deployments::{Region, elsewhere, join_all, json, regions, shown_moment};
use crate::exit::{Ended, Exit};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln::TargetNode;
use kiln_engine::Error;
use kiln_engine::driver::{Generation, Intent, Observed, Server, ServerHealth};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// What runs, as it is now.
pub(crate) async fn execute(
    global: &Global,
    args: &Look,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    // Ctrl-C ends what only looks.
    let (_never, interrupted) = watch::channel(false);
    let begun = async {
        let state = super::state(global, &args.state, None, &recipes).await?;
        state.intents().await.map_err(|error| vec![error])
    };
    let (regions, begun) = tokio::join!(look(global, &args.names, &recipes, &interrupted), begun);
    let regions = regions?;
    // What runs is no secret to who may not read the state.
    let (begun, unknown) = match begun {
        Ok(begun) => (begun, None),
        Err(errors) => {
            let why: Vec<String> = errors.iter().map(Error::chain).collect();
            (BTreeMap::new(), Some(why.join("; ")))
        }
    };
    let all = rows(&regions, &args.names);
    match global.format {
        Format::Text => {
            text(&all, &begun, regions.len() > 1, report);
            if let Some(why) = unknown {
                report.warning(&format!("cannot say what was begun: {why}"));
            }
        }
        Format::Json => {
            let deployments: Vec<_> =
                all.iter().map(|row| document(row, begun.get(row.name))).collect();
            let mut document = json!({ "version": json::VERSION, "deployments": deployments });
            if let Some(why) = unknown {
                document["unfinished_unknown"] = why.into();
            }
            report.document(&document);
        }
    }
    Ok(Exit::Done)
}

/// A deployment that is declared, or runs, or both.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) place: &'a str,
    pub(super) declared: bool,
    pub(super) observed: Option<&'a Observed>,
}

/// What runs of these deployments; of names that no recipe has, where the environment says. Without names, of all in
/// the places of the recipes.
pub(super) async fn look<'a>(
    global: &Global,
    names: &'a [String],
    recipes: &Recipes<'a>,
    interrupted: &watch::Receiver<bool>,
) -> Result<Vec<Region<'a>>, Vec<Error>> {
    let known = |name: &String| recipes.deployment(name).is_some();
    let declared: Vec<String> = names.iter().filter(|name| known(name)).cloned().collect();
    let mut found = Vec::new();
    if names.is_empty() || !declared.is_empty() {
        // With the names of all, what else runs beside them is seen too.
        let all = recipes.of(&[]);
        found = regions(global, &all, false, interrupted).await?;
        let is_asked =
            |region: &Region<'_>| region.nodes.iter().any(|node| declared.contains(&node.name));
        if names.iter().all(known) && !names.is_empty() {
            found.retain(is_asked);
        }
    } else if !recipes.document.deployments().is_empty() {
        found = regions(global, &recipes.of(&[]), false, interrupted).await?;
    }
    if found.is_empty() || !names.iter().all(known) {
        match elsewhere(global, recipes, interrupted).await {
            Ok(region) if found.iter().any(|known| known.name == region.name) => {}
            Ok(region) => found.push(region),
            Err(errors) if found.is_empty() => return Err(errors),
            Err(_) => {}
        }
    }
    let observed = join_all(found.iter().map(|region| region.deployer.observe())).await;
    for (region, observed) in found.iter_mut().zip(observed) {
        let origin = region.nodes.first().map(|node| match &node.target {
            TargetNode::Ec2(target) => target.origin.clone(),
        });
        region.observed = observed.map_err(|error| {
            vec![match &origin {
                Some(origin) => error.at(origin),
                None => error,
            }]
        })?;
    }
    let runs = |name: &String| {
        found.iter().flat_map(|region| &region.observed).any(|found| found.deployment == *name)
    };
    let unknown = names.iter().filter(|name| !known(name) && !runs(name));
    let errors: Vec<Error> = unknown.map(|name| recipes.unknown_deployment(name)).collect();
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// The deployments of these names; without any, all: those of the recipes first.
pub(super) fn rows<'a>(regions: &'a [Region<'_>], names: &[String]) -> Vec<Row<'a>> {
    let is_asked = |name: &str| names.is_empty() || names.iter().any(|asked| asked == name);
    let mut rows = Vec::new();
    for region in regions {
        let place = region.name.as_str();
        let find = |name: &str| region.observed.iter().find(|found| found.deployment == name);
        for node in region.nodes.iter().filter(|node| is_asked(&node.name)) {
            let name = node.name.as_str();
            rows.push(Row { name, place, declared: true, observed: find(name) });
        }
        let declared = |name: &str| region.nodes.iter().any(|node| node.name == name);
        for found in &region.observed {
            let name = found.deployment.as_str();
            if !declared(name) && is_asked(name) {
                rows.push(Row { name, place, declared: false, observed: Some(found) });
            }
        }
    }
    rows
}

fn text(rows: &[Row<'_>], begun: &BTreeMap<String, Intent>, several: bool, report: &Report) {
    if rows.is_empty() {
        report.text("there are no deployments");
    }
    for Row { name, place, declared, observed } in rows {
        let place = if several { format!(" ({place})") } else { String::new() };
        let note = if *declared { "" } else { "  not in the recipes" };
        let generations = observed.map_or(&[][..], |found| &found.generations);
        let serving = generations.iter().filter(|generation| generation.attached);
        let serving: Vec<String> =
            serving.map(|generation| format!("generation {} serves", generation.number)).collect();
        let state = match (serving.is_empty(), generations.is_empty()) {
            (false, _) => serving.join(", "),
            (true, false) => "no generation serves".into(),
            (true, true) => "nothing runs".into(),
        };
        report.text(&format!("{name}{place}  {state}{note}"));
        if let Some(Intent { generation, holder, at, .. }) = begun.get(*name) {
            let (command, who, since) = (&holder.command, &holder.who, shown_moment(*at));
            report.text(&format!(
                "  not ended: `{command}` by {who} since {since}, generation {generation}"
            ));
        }
        generations.iter().rev().for_each(|one| generation(one, report));
        for (key, value) in observed.iter().flat_map(|found| &found.outputs) {
            report.text(&format!("  {key} = {value}"));
        }
    }
}

fn generation(generation: &Generation, report: &Report) {
    let Generation { number, image, capacity, attached, servers, .. } = generation;
    let healthy = servers.iter().filter(|server| server.health == ServerHealth::Healthy).count();
    let role = if *attached { "serves" } else { "warm, without traffic" };
    let desired = capacity.desired;
    report.text(&format!("  generation {number}  {role}  {healthy} of {desired} healthy  {image}"));
    for Server { id, address, health } in servers {
        let health = match health {
            ServerHealth::Starting => "starting".to_owned(),
            ServerHealth::Healthy => "healthy".to_owned(),
            ServerHealth::Unhealthy(why) => format!("unhealthy: {why}"),
            ServerHealth::Leaving => "leaving".to_owned(),
        };
        let address = address.as_deref().unwrap_or("-");
        report.text(&format!("    {id}  {address}  {health}"));
    }
}

fn document(row: &Row<'_>, begun: Option<&Intent>) -> serde_json::Value {
    let Row { name, place, declared, observed } = row;
    json!({
        "deployment": name,
        "place": place,
        "declared": declared,
        "front": observed.map(|found| &found.front),
        "generations": observed.map_or(&[][..], |found| &found.generations),
        "outputs": observed.map(|found| &found.outputs),
        "unfinished": begun.map(|Intent { generation, holder, at, .. }| {
            json!({ "generation": generation, "who": holder.who, "command": holder.command, "at": at })
        }),
    })
}
