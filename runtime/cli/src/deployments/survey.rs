use super::{Baking, Region, image_state, join_all, regions};
use crate::args::Global;
use crate::recipes::Recipes;
use kiln::TargetNode;
use kiln_engine::Error;
use kiln_engine::deploy::{Desired, Past, Place, Plan};
use kiln_engine::driver::{HistoryEntry, Intent, Observed, State};
use kiln_engine::plan::ImageRecord;
use std::collections::BTreeMap;
use std::sync::Arc;
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
    if changed.is_empty() {
        return Ok(Survey { regions, plan });
    }
    let one = |error: Error| vec![error];
    let read =
        changed.iter().map(|name| async move { Ok((name.clone(), state.history(name).await?)) });
    let histories: Result<BTreeMap<String, Vec<HistoryEntry>>, Error> =
        join_all(read).await.into_iter().collect();
    let histories = histories.map_err(one)?;
    compare_images(&mut regions, state, &histories, &intents).await.map_err(one)?;
    let plan = self::plan(&regions, &histories, &intents);
    Ok(Survey { regions, plan })
}

/// Says of each image of a deployment that has changed in what it differs from what runs, as far as that was kept when it
/// was deployed: on whichever machine.
async fn compare_images(
    regions: &mut [Region<'_>],
    state: &dyn State,
    histories: &BTreeMap<String, Vec<HistoryEntry>>,
    intents: &BTreeMap<String, Intent>,
) -> Result<(), Error> {
    let past = Past { histories, intents };
    // Many deployments start from few images.
    let mut kept: BTreeMap<String, Option<Arc<ImageRecord>>> = BTreeMap::new();
    for region in regions {
        let mut made: BTreeMap<(usize, &str), Option<Arc<ImageRecord>>> = BTreeMap::new();
        let mut found = Vec::new();
        for (at, desired) in region.desired.iter().enumerate() {
            let (node, image) = (&desired.node, &desired.image);
            let of_node = |baking: &Baking<'_>| baking.is_for(node);
            let Some(place) = region.bakes.iter().position(of_node) else { continue };
            if !histories.contains_key(&node.name) {
                continue;
            }
            let record = made
                .entry((place, &image.name))
                .or_insert_with(|| region.bakes[place].record(&image.name));
            let Some(record) = record else { continue };
            let served = region.as_place().served(desired, past).map(|entry| &entry.image_key);
            let was = match served.filter(|key| image.key.as_ref() != Some(key)) {
                None => None,
                Some(key) => {
                    if !kept.contains_key(key) {
                        kept.insert(key.clone(), state.image(key).await?.map(Arc::new));
                    }
                    kept.get(key).cloned().flatten()
                }
            };
            let why = was.and_then(|was| image_state::difference(&was, record));
            found.push((at, why, Arc::clone(record)));
        }
        for (at, why, record) in found {
            let image = &mut region.desired[at].image;
            (image.why, image.record) = (why, Some(record));
        }
    }
    Ok(())
}

/// What differs between the regions' recipes and what runs there.
pub(crate) fn plan(
    regions: &[Region<'_>],
    histories: &BTreeMap<String, Vec<HistoryEntry>>,
    intents: &BTreeMap<String, Intent>,
) -> Plan {
    let places: Vec<Place<'_>> = regions.iter().map(Region::as_place).collect();
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
