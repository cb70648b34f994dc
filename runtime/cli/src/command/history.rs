use crate::args::{Format, Global, History as HistoryArgs};
use crate::deployments::{json, shown_moment};
use crate::exit::{Ended, Exit};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::driver::HistoryEntry;
use serde_json::json;

/// What was deployed, newest first. It asks nobody but the state.
pub(crate) async fn execute(
    global: &Global,
    args: &HistoryArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let state = super::state(global, &args.state, None, &recipes).await?;
    let history = state.history(&args.name).await.map_err(|error| vec![error])?;
    if history.is_empty() && recipes.deployment(&args.name).is_none() {
        return Err(vec![recipes.unknown_deployment(&args.name)]);
    }
    match global.format {
        Format::Json => report.document(&json!({
            "version": json::VERSION,
            "deployment": args.name,
            "history": history,
        })),
        Format::Text if history.is_empty() => report.text("it was never deployed"),
        Format::Text => history.iter().rev().for_each(|entry| text(entry, report)),
    }
    Ok(Exit::Done)
}

fn text(entry: &HistoryEntry, report: &Report) {
    let HistoryEntry { generation, action, why, failure, image, who, at, ms, .. } = entry;
    let ended = if failure.is_some() { "failed" } else { "done" };
    let (moment, seconds) = (shown_moment(*at), ms / 1000);
    report.text(&format!(
        "{moment}  {action} {ended}  generation {generation}  {image}  by {who} in {seconds} s"
    ));
    why.lines().for_each(|line| report.text(&format!("  {line}")));
    failure.iter().for_each(|failure| report.text(&format!("  failed: {failure}")));
}
