use super::{Region, join_all, regions};
use crate::args::Global;
use crate::recipes::Recipes;
use kiln::TargetNode;
use kiln_engine::Error;
use kiln_engine::deploy::{Desired, Past, Place, Plan};
use kiln_engine::driver::{HistoryEntry, Intent, Observed, State};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// What is declared, what runs, and what differs.
pub(crate) struct Survey<'a> {
    pub(crate) regions: Vec<Region<'a>>,
    pub(crate) plan: Plan,
}

/// Looks at everything that the wanted deployments are about: images, servers and what was begun, side by side.
///
/// # Errors
/// Every mistake in the recipes; what cannot be read.
pub(crate) async fn survey<'a>(
    global: &Global,
    recipes: &Recipes<'a>,
    state: &dyn State,
    interrupted: &watch::Receiver<bool>,
) -> Result<Survey<'a>, Vec<Error>> {
    let mut regions = regions(global, recipes, true, interrupted).await?;
    let intents = async { state.intents().await.map_err(|error| vec![error]) };
    let all = recipes.names.is_empty();
    let looks = join_all(regions.iter_mut().map(|region| look(region, all, interrupted)));
    let (looked, intents) = tokio::join!(looks, intents);
    // The same mistake may have been met in several places.
    looked.into_iter().collect::<Result<Vec<()>, _>>()?;
    let intents = intents?;
    let plan = plan(&regions, &BTreeMap::new(), &intents);
    let changed: Vec<String> = plan.work().map(|planned| planned.deployment.clone()).collect();
    let plan = if changed.is_empty() {
        plan
    } else {
        let read = changed
            .iter()
            .map(|name| async move { Ok((name.clone(), state.history(name).await?)) });
        let histories: Result<BTreeMap<String, Vec<HistoryEntry>>, Error> =
            join_all(read).await.into_iter().collect();
        self::plan(&regions, &histories.map_err(|error| vec![error])?, &intents)
    };
    Ok(Survey { regions, plan })
}

/// What differs between the regions' recipes and what runs there.
pub(crate) fn plan(
    regions: &[Region<'_>],
    histories: &BTreeMap<String, Vec<HistoryEntry>>,
    intents: &BTreeMap<String, Intent>,
) -> Plan {
    let places: Vec<Place<'_>> = regions
        .iter()
        .map(|region| Place {
            name: &region.name,
            deployer: region.deployer.as_ref(),
            desired: &region.desired,
            observed: &region.observed,
        })
        .collect();
    Plan::make(&places, Past { histories, intents })
}

/// Reads what runs in a region and which images there are. `all`: also what no recipe has.
async fn look(
    region: &mut Region<'_>,
    all: bool,
    interrupted: &watch::Receiver<bool>,
) -> Result<(), Vec<Error>> {
    let origin = region.nodes.first().map(|node| match &node.target {
        TargetNode::Ec2(target) => target.origin.clone(),
    });
    let at_recipe = |error: Error| match &origin {
        Some(origin) => error.at(origin),
        None => error,
    };
    let images = join_all(region.bakes.iter_mut().map(|baking| async move {
        let driver = baking.project.driver;
        let index = driver.index(&baking.project.at(interrupted.clone())).await;
        let index = index.map_err(|error| vec![error])?;
        baking.plan = Some(baking.project.plan(index.as_ref()).await?);
        Ok::<(), Vec<Error>>(())
    }));
    let (observed, images) = tokio::join!(region.deployer.observe(), images);
    let observed: Vec<Observed> = observed.map_err(|error| vec![at_recipe(error)])?;
    for found in images {
        found.map_err(|errors| errors.into_iter().map(at_recipe).collect::<Vec<_>>())?;
    }
    let is_wanted = |name: &str| all || region.nodes.iter().any(|node| node.name == name);
    region.observed = observed.into_iter().filter(|found| is_wanted(&found.deployment)).collect();
    region.desired = Vec::with_capacity(region.nodes.len());
    for node in &region.nodes {
        let image = region.bakes.iter().filter(|baking| baking.is_for(node)).find_map(|baking| {
            let graph = baking.project.keyed.graph();
            let name = &graph.images().get(node.image)?.image.name;
            baking.image(name)
        });
        let Some(image) = image else {
            let message = format!("`{}` has no image", node.name);
            return Err(vec![Error::input(message).at(&node.origin)]);
        };
        region.desired.push(Desired { node: node.clone(), image });
    }
    Ok(())
}
