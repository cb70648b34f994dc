use super::interruption::interruption;
use crate::args::{Format, Global};
use crate::exit::{Ended, Exit};
use crate::project::Project;
use crate::recipes::Recipes;
use crate::report::Report;
use kiln_engine::driver::{Fate, Found};
use kiln_engine::{CacheKey, Error};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{BufRead, Write};

/// Removes what no recipe needs. What the recipes of this checkout would find is wanted.
pub(crate) async fn execute(
    global: &Global,
    dry_run: bool,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let one = |error: Error| vec![error];
    let project = Project::read(global, recipes).await?;
    let Some(collector) = project.collector(interruption(report.clone())).await? else {
        let name = project.driver.name();
        return Err(one(Error::input(format!(
            "`gc` does not know how to clean up after `{name}`"
        ))
        .help("it cleans up EC2: `cargo xtask gc --builder ec2`")));
    };
    let index = project.index().await?;
    let plan = project.plan(index.as_ref()).await?;
    if let Some((_, id)) = plan.unlocked(&project.keyed).first() {
        let message =
            format!("kiln.lock has no entry for {id}: nobody knows which layers are wanted");
        return Err(one(
            Error::input(message).help("take kiln.lock from version control, or bake first")
        ));
    }
    let wanted: BTreeSet<CacheKey> = plan.keys().collect();
    let named: BTreeSet<String> = plan.artifacts().map(ToOwned::to_owned).collect();
    let found = collector.survey(&wanted, &named).await.map_err(one)?;
    let doomed: Vec<Found> = found.iter().filter(|found| is_doomed(found)).cloned().collect();
    match global.format {
        Format::Text => show(&found, report),
        Format::Json => found.iter().for_each(|found| report.document(&document(found))),
    }
    if dry_run || doomed.is_empty() {
        return Ok(Exit::Done);
    }
    if !global.yes && !confirmed(doomed.len()) {
        report.text("nothing was removed; `--yes` removes without asking");
        return Ok(Exit::Done);
    }
    collector.remove(&doomed, &|line| report.text(line)).await?;
    report.text(&format!("removed {}", doomed.len()));
    Ok(Exit::Done)
}

fn is_doomed(found: &Found) -> bool {
    matches!(found.fate, Fate::Remove(_))
}

fn show(found: &[Found], report: &Report) {
    for Found { id, kind, name, fate } in found {
        report.text(&match fate {
            Fate::Remove(why) => format!("  - {kind} {id}  {name}  {why}"),
            Fate::Keep(why) => format!("  = {kind} {id}  {name}  {why}"),
        });
    }
    let doomed = found.iter().filter(|found| is_doomed(found)).count();
    report.text(&match doomed {
        0 => "\nNothing to remove.".to_owned(),
        _ => format!("\n{doomed} to remove, {} kept.", found.len() - doomed),
    });
}

fn document(Found { id, kind, name, fate }: &Found) -> serde_json::Value {
    let (action, why) = match fate {
        Fate::Remove(why) => ("remove", why),
        Fate::Keep(why) => ("keep", why),
    };
    json!({ "id": id, "kind": kind, "name": name, "action": action, "why": why })
}

/// Asks at the terminal: standard input is the Document. No terminal: no.
fn confirmed(count: usize) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        write!(terminal, "Remove these {count}? [y/N] ")?;
        let mut answer = String::new();
        std::io::BufReader::new(terminal).read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    };
    asked().unwrap_or(false)
}
