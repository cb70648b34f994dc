use super::interruption::interruption;
use super::status::look;
use crate::args::{Format, Global, Rollback as RollbackArgs};
use crate::deployments::{self, agreed};
use crate::exit::{Ended, Exit};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::deploy::{Outcome, Run, earlier};
use kiln_engine::driver::Observed;
use kiln_engine::{Error, Event};
use std::time::Instant;

/// Gives the traffic back to an earlier generation.
pub(crate) async fn execute(
    global: &Global,
    args: &RollbackArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let one = |error: Error| vec![error];
    let interrupted = interruption(report.clone());
    let lease_time = Some(args.change.lease_time());
    let state = super::state(global, &args.change.state, lease_time, &recipes).await?;
    let names = std::slice::from_ref(&args.name);
    let regions = look(global, names, &recipes, &interrupted).await?;
    let found = regions.iter().find_map(|region| {
        let observed = region.observed.iter().find(|found| found.deployment == args.name)?;
        Some((region, observed))
    });
    let Some((region, observed)) = found else {
        let message = format!("nothing runs of `{}`", args.name);
        return Err(one(Error::input(message).help("`deploy` makes what is declared")));
    };
    let (history, intents) = tokio::join!(state.history(&args.name), state.intents());
    let (history, intent) = (history.map_err(one)?, intents.map_err(one)?.remove(&args.name));
    let past = (&history[..], intent.as_ref());
    let to = earlier(&args.name, &observed.generations, past, args.to).map_err(one)?.generation;
    if intent.is_none() && serving(observed) == [to] {
        let message = format!("generation {to} of `{}` serves", args.name);
        return Err(one(Error::input(message).help("name another one with `--to`")));
    }
    if global.format == Format::Text {
        report.text(&format!("{}  {}", args.name, outlook(observed, to)));
    }
    if !global.yes && !agreed(global, "Roll back?", "rolls back").map_err(one)? {
        report.text("nothing was changed");
        return Ok(Exit::Done);
    }
    report.started(0);
    let options = deployments::options(&args.change, 1, false, interrupted);
    let run =
        Run { state: state.as_ref(), events: &|event| report.event(event), options: &options };
    // What was agreed to, whoever deploys meanwhile.
    let outcome = run.rollback(region.deployer.as_ref(), &args.name, Some(to)).await;
    let (deployed, failed) = match &outcome {
        Outcome::Deployed { .. } | Outcome::Adjusted { .. } => (1, 0),
        Outcome::Unchanged => (0, 0),
        Outcome::Failed(_) => (0, 1),
    };
    if matches!(outcome, Outcome::Unchanged) {
        report.text("it has the traffic already; nothing was changed");
    } else if deployed == 1
        && let Ok(observed) = region.deployer.observe().await
        && let Some(found) = observed.into_iter().find(|found| found.deployment == args.name)
    {
        report.event(Event::Outputs { deployment: found.deployment, outputs: found.outputs });
    }
    report.summary((0, 0, failed), deployed, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// What it will be, as what runs tells.
fn outlook(observed: &Observed, to: u32) -> String {
    let serving: Vec<String> = serving(observed).iter().map(ToString::to_string).collect();
    let from = match serving.is_empty() {
        true => "no generation".to_owned(),
        false => format!("generation {}", serving.join(", ")),
    };
    match observed.generations.iter().any(|one| one.number == to) {
        true => format!("rolls back: {from} → {to}, which is kept warm"),
        false => format!("rolls back: {from} → what generation {to} was, made again"),
    }
}

fn serving(observed: &Observed) -> Vec<u32> {
    observed.generations.iter().filter(|one| one.attached).map(|one| one.number).collect()
}
