use super::status::{look, rows};
use crate::args::{Format, Global, Look};
use crate::deployments::{join_all, json};
use crate::exit::{Ended, Exit};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::driver::{Observed, State};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Addresses, DNS names, ids and keys, for people and programs.
pub(crate) async fn execute(
    global: &Global,
    args: &Look,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    // Ctrl-C ends what only looks.
    let (_never, interrupted) = watch::channel(false);
    let state = super::state(global, &args.state, None, &recipes).await?;
    let regions = look(global, &args.names, &recipes, &interrupted).await?;
    let rows = rows(&regions, &args.names);
    let read = rows.iter().filter_map(|row| Some((row, row.observed?))).map(|(row, observed)| {
        let state = state.as_ref();
        async move { Ok((row.name, outputs(row.place, observed, state).await?)) }
    });
    let all: Result<BTreeMap<&str, BTreeMap<String, String>>, Error> =
        join_all(read).await.into_iter().collect();
    let all = all.map_err(|error| vec![error])?;
    match global.format {
        Format::Json => {
            report.document(&json!({ "version": json::VERSION, "deployments": all }));
        }
        Format::Text => {
            for row in rows.iter().filter(|row| row.observed.is_none()) {
                report.warning(&format!("nothing runs of `{}`", row.name));
            }
            for (name, outputs) in &all {
                for (key, value) in outputs {
                    report.text(&format!("{name}.{key} = {value}"));
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// What its driver says, and of the generation that serves: its number, servers, image, and the image's key.
async fn outputs(
    place: &str,
    observed: &Observed,
    state: &dyn State,
) -> Result<BTreeMap<String, String>, Error> {
    let mut outputs = observed.outputs.clone();
    outputs.insert("place".into(), place.into());
    let Some(serving) = observed.generations.iter().rfind(|generation| generation.attached) else {
        return Ok(outputs);
    };
    let addresses = serving.servers.iter().filter_map(|server| server.address.clone());
    let ids = serving.servers.iter().map(|server| server.id.clone());
    outputs.insert("generation".into(), serving.number.to_string());
    outputs.insert("group".into(), serving.id.clone());
    outputs.insert("image".into(), serving.image.clone());
    outputs.insert("addresses".into(), addresses.collect::<Vec<_>>().join(" "));
    outputs.insert("servers".into(), ids.collect::<Vec<_>>().join(" "));
    let history = state.history(&observed.deployment).await?;
    let made = |entry: &&kiln_engine::driver::HistoryEntry| {
        entry.failure.is_none()
            && entry.generation == serving.number
            && entry.image == serving.image
    };
    if let Some(entry) = history.iter().rev().find(made) {
        outputs.insert("image_key".into(), entry.image_key.clone());
    }
    Ok(outputs)
}
