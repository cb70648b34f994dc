use super::interruption::interruption;
use crate::args::{Format, Gc, Global};
use crate::deployments::{agreed, join_all};
use crate::driver::{At, Driver, EC2, asked_for, runs};
use crate::exit::{Ended, Exit};
use crate::places::used_by;
use crate::project::{Project, read_lock};
use crate::recipes::Recipes;
use crate::report::Report;
use kiln::ImageNode;
use kiln_engine::driver::{Collector, Fate, Found, Wanted};
use kiln_engine::key::Target;
use kiln_engine::lock::Locked;
use kiln_engine::{CacheKey, Error};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A region that is looked through.
struct Region {
    collector: Box<dyn Collector>,
    name: String,
    found: Vec<Found>,
}

/// Removes what no recipe needs, at all places of the recipes and of the environment. What the recipes of this checkout
/// would find is wanted.
pub(crate) async fn execute(
    global: &Global,
    args: &Gc,
    recipes: Recipes<'_>,
    report: &Report,
) -> Ended {
    let one = |error: Error| vec![error];
    let (name, named) = (recipes.builder().unwrap_or(EC2), recipes.builder().is_some());
    let driver = recipes.driver_named(name).map_err(|_| one(foreign(name)))?;
    let recipes = recipes.by(driver.name());
    let names = names(&recipes, driver, named);
    let regions = wanted(global, driver, &recipes, names).await?;
    let interrupted = interruption(report.clone());
    let surveys = join_all(regions.into_iter().map(async |(target, mut wanted)| {
        wanted.younger_than = args.older_than;
        let at = At {
            store: &global.store,
            project: recipes.document.project(),
            target: &target,
            interrupted: interrupted.clone(),
        };
        let collector = driver.collector(&at).await?.ok_or_else(|| foreign(driver.name()))?;
        let found = collector.survey(&wanted).await?;
        Ok(Region { collector, name: target.place.unwrap_or_default(), found })
    }));
    let (mut regions, mut errors) = (Vec::new(), Vec::new());
    for surveyed in surveys.await {
        surveyed.map_or_else(|error: Error| errors.push(error), |region| regions.push(region));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    match global.format {
        Format::Text => show(&regions, report),
        Format::Json => regions.iter().for_each(|region| documents(region, report)),
    }
    let count: usize = regions.iter().map(|region| doomed(&region.found).len()).sum();
    if args.dry_run || count == 0 {
        return Ok(Exit::Done);
    }
    if !global.yes && !agreed(global, &format!("Remove these {count}?"), "removes").unwrap_or(false)
    {
        report.text("nothing was removed; `--yes` removes without asking");
        return Ok(Exit::Done);
    }
    let mut errors = Vec::new();
    for Region { collector, found, .. } in &regions {
        let doomed = doomed(found);
        if !doomed.is_empty() {
            let removed = collector.remove(&doomed, &|line| report.text(line)).await;
            errors.extend(removed.err().unwrap_or_default());
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    report.text(&format!("removed {count}"));
    Ok(Exit::Done)
}

fn foreign(builder: &str) -> Error {
    Error::input(format!("`gc` does not know how to clean up after `{builder}` here"))
        .help("it cleans up EC2: `cargo xtask gc --builder ec2`")
}

/// What is wanted in each region: of the recipes, and of the environment, where it names one.
///
/// # Errors
/// When nobody names a region, or the lock file does not say which layers are wanted of an image that is for this builder.
async fn wanted(
    global: &Global,
    driver: &dyn Driver,
    recipes: &Recipes<'_>,
    (sure, perhaps): (Vec<String>, Vec<String>),
) -> Result<Vec<(Target, Wanted)>, Vec<Error>> {
    let here = driver.place().await;
    let mut projects = Vec::new();
    if !sure.is_empty() {
        projects = Project::read(global, &recipes.of(&sure)).await?;
    }
    let certain = projects.len();
    if !perhaps.is_empty() && here.is_ok() {
        projects.extend(Project::read(global, &recipes.of(&perhaps)).await?);
    }
    let mut regions: BTreeMap<String, (Target, Wanted)> = BTreeMap::new();
    match here {
        Ok(target) => add(&mut regions, &target, BTreeSet::new(), BTreeSet::new()),
        Err(error) if projects.is_empty() => return Err(vec![error]),
        Err(_) => {}
    }
    for (number, project) in projects.iter().enumerate() {
        let plan = project.plan(project.index().await?.as_ref()).await?;
        if let Some((_, id)) = plan.unlocked(&project.keyed).first().filter(|_| number < certain) {
            let message =
                format!("kiln.lock has no entry for {id}: nobody knows which layers are wanted");
            let help = format!(
                "take kiln.lock from version control, or run `cargo xtask update --builder {}`",
                driver.name()
            );
            return Err(vec![Error::input(message).help(help)]);
        }
        let named: BTreeSet<String> = plan.artifacts().map(ToOwned::to_owned).collect();
        add(&mut regions, project.keyed.target(), plan.keys().collect(), named);
    }
    let locked = read_lock(global)?.entries();
    for locked in locked.values() {
        if let Locked::Image(image) = locked {
            for (_, wanted) in regions.values_mut() {
                wanted.named.insert(image.id.clone());
            }
        }
    }
    Ok(regions.into_values().collect())
}

fn add(
    regions: &mut BTreeMap<String, (Target, Wanted)>,
    target: &Target,
    keys: BTreeSet<CacheKey>,
    named: BTreeSet<String>,
) {
    let name = target.place.clone().unwrap_or_default();
    let (_, wanted) = regions.entry(name).or_insert_with(|| (target.clone(), Wanted::default()));
    wanted.keys.extend(keys);
    wanted.named.extend(named);
}

/// The images that are for this builder: they say so, or are deployed, or it was named. And the others, which may have
/// been built by it: what is known of these is wanted too.
fn names(recipes: &Recipes<'_>, driver: &dyn Driver, named: bool) -> (Vec<String>, Vec<String>) {
    let document = &recipes.document;
    let deployments = document.deployments().iter().filter(|node| runs(node) == driver.name());
    let deployed: BTreeSet<String> =
        deployments.flat_map(|deployment| used_by(document, deployment)).collect();
    let is_sure = |image: &ImageNode| {
        named || asked_for(image) == driver.name() || deployed.contains(&image.name)
    };
    let (sure, perhaps): (Vec<_>, Vec<_>) =
        document.images().iter().partition(|image| is_sure(image));
    let names = |images: Vec<&ImageNode>| images.into_iter().map(|one| one.name.clone()).collect();
    (names(sure), names(perhaps))
}

fn doomed(found: &[Found]) -> Vec<Found> {
    found.iter().filter(|found| matches!(found.fate, Fate::Remove(_))).cloned().collect()
}

fn show(regions: &[Region], report: &Report) {
    let (mut all, mut doomed) = (0, 0);
    for Region { name, found, .. } in regions {
        if regions.len() > 1 {
            report.text(&format!("in {name}:"));
        }
        for Found { id, kind, name, fate } in found {
            report.text(&match fate {
                Fate::Remove(why) => format!("  - {kind} {id}  {name}  {why}"),
                Fate::Keep(why) => format!("  = {kind} {id}  {name}  {why}"),
            });
        }
        (all, doomed) = (all + found.len(), doomed + self::doomed(found).len());
    }
    report.text(&match doomed {
        0 => "\nNothing to remove.".to_owned(),
        _ => format!("\n{doomed} to remove, {} kept.", all - doomed),
    });
}

fn documents(region: &Region, report: &Report) {
    for Found { id, kind, name, fate } in &region.found {
        let (action, why) = match fate {
            Fate::Remove(why) => ("remove", why),
            Fate::Keep(why) => ("keep", why),
        };
        report.document(&json!({
            "place": region.name, "id": id, "kind": kind, "name": name, "action": action, "why": why,
        }));
    }
}
