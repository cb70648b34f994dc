use super::interruption::interruption;
use super::status::look;
use crate::args::{Destroy as DestroyArgs, Global};
use crate::deployments::{self, Region, elsewhere, typed};
use crate::exit::{Ended, Exit};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::Error;
use kiln_engine::deploy::Run;
use kiln_engine::driver::Belonging;
use std::time::Instant;

/// Removes everything that was made for deployments.
pub(crate) async fn execute(
    global: &Global,
    args: &DestroyArgs,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let started = Instant::now();
    let one = |error: Error| vec![error];
    let interrupted = interruption(report.clone());
    let lease_time = Some(args.change.lease_time());
    let state = super::state(global, &args.change.state, lease_time, &recipes).await?;
    let mut regions = look(global, &args.names, &recipes, &interrupted).await?;
    // A recipe may say another region than when it was deployed.
    let mut others = match recipes.document.deployments() {
        [] => Vec::new(),
        _ => deployments::regions(global, &recipes.of(&[]), false, &interrupted).await?,
    };
    others.extend(elsewhere(global, &recipes, &interrupted).await.ok());
    for other in others {
        if regions.iter().all(|known| known.name != other.name) {
            regions.push(other);
        }
    }
    if let Some(asked) = &args.region {
        let known: Vec<String> = regions.iter().map(|one| format!("`{}`", one.name)).collect();
        regions.retain(|region| region.name == *asked);
        if regions.is_empty() {
            let message = format!("`{asked}` is no region of the recipes, nor the environment's");
            let known = known.join(" and ");
            let help = match kiln::rules::region(asked) {
                Ok(()) => format!("these are {known}; for another one set `AWS_REGION={asked}`"),
                Err(_) => format!("these are {known}"),
            };
            return Err(one(Error::input(message).help(help)));
        }
    }
    let mut doomed = Vec::new();
    for name in &args.names {
        let there = of(&regions, name).await?;
        let places: Vec<&str> = there.iter().map(|(region, _)| region.name.as_str()).collect();
        if let [one, other, ..] = places[..] {
            let message = format!("`{name}` runs in `{one}` and in `{other}`");
            let help = "name the one that is to go with `--region REGION`";
            return Err(vec![Error::input(message).help(help)]);
        }
        if there.is_empty() {
            report.text(&format!("{name}  nothing is there"));
        }
        for (region, belongings) in there {
            report.text(&format!("{name}  is destroyed in {}:", region.name));
            for Belonging { kind, id } in &belongings {
                report.text(&format!("  - {kind} {id}"));
            }
            doomed.push((name, region));
        }
    }
    if doomed.is_empty() {
        return Ok(Exit::Done);
    }
    report.text(&format!("\nPlan: {} to destroy.", doomed.len()));
    // Everything is asked about before anything is gone.
    let mut agreed = Vec::new();
    for (name, region) in doomed {
        if global.yes || typed(global, name, "destroys").map_err(one)? {
            agreed.push((name, region));
        } else {
            report.text(&format!("that is not `{name}`: it stays as it is"));
        }
    }
    if agreed.is_empty() {
        return Ok(Exit::Done);
    }
    report.started(0);
    let options = deployments::options(&args.change, 1, false, interrupted);
    let run =
        Run { state: state.as_ref(), events: &|event| report.event(event), options: &options };
    let (mut deployed, mut failed) = (0, 0);
    for (name, region) in agreed {
        match run.destroy(region.deployer.as_ref(), name).await {
            Ok(()) => deployed += 1,
            Err(_) => failed += 1,
        }
    }
    report.summary((0, 0, failed), deployed, started.elapsed());
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// The places where something belongs to a deployment, and what.
async fn of<'r, 'a>(
    regions: &'r [Region<'a>],
    name: &str,
) -> Result<Vec<(&'r Region<'a>, Vec<Belonging>)>, Vec<Error>> {
    let mut found = Vec::new();
    for region in regions {
        let belongings = region.deployer.belongings(name).await.map_err(|error| vec![error])?;
        if !belongings.is_empty() {
            found.push((region, belongings));
        }
    }
    Ok(found)
}
