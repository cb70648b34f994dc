use super::image_state;
use crate::args::Global;
use crate::driver::{At, Driver, runs};
use crate::project::{Project, read_lock};
use crate::recipes::Recipes;
use kiln::DeploymentNode;
use kiln_engine::Error;
use kiln_engine::bake::Outcome;
use kiln_engine::deploy::{Desired, ImageState, Place};
use kiln_engine::driver::{Deployer, Observed};
use kiln_engine::graph::ImageEntry;
use kiln_engine::key::Target;
use kiln_engine::plan::{ImageRecord, Plan};
use std::sync::Arc;
use tokio::sync::watch;

/// A place where deployments run, with those that a command is about.
pub(crate) struct Region<'a> {
    /// Its name: `eu-west-1`.
    pub(crate) name: String,
    pub(crate) driver: &'a dyn Driver,
    pub(crate) deployer: Box<dyn Deployer>,
    /// In the order of the recipes.
    pub(crate) nodes: Vec<DeploymentNode>,
    /// For each architecture the images that they start from.
    pub(crate) bakes: Vec<Baking<'a>>,
    /// With their images, when those were looked up.
    pub(crate) desired: Vec<Desired>,
    /// What runs there.
    pub(crate) observed: Vec<Observed>,
}

impl Region<'_> {
    /// As plans see it.
    pub(crate) fn as_place(&self) -> Place<'_> {
        Place {
            name: &self.name,
            deployer: self.deployer.as_ref(),
            desired: &self.desired,
            observed: &self.observed,
        }
    }
}

/// Images that are baked at one place for one architecture.
pub(crate) struct Baking<'a> {
    pub(crate) project: Project<'a>,
    /// The names of the deployments that start from them.
    deployments: Vec<String>,
    /// What is missing, when it was looked up.
    pub(crate) plan: Option<Plan>,
}

impl Baking<'_> {
    /// Whether a deployment starts from one of these.
    pub(crate) fn is_for(&self, deployment: &DeploymentNode) -> bool {
        self.deployments.contains(&deployment.name)
    }

    /// The state of an image here, as planned.
    pub(crate) fn image(&self, name: &str) -> Option<ImageState> {
        Some(image_state::of(&self.project, self.plan.as_ref()?, self.entry(name)?))
    }

    /// What an image here is made of, as far as it is locked.
    pub(super) fn record(&self, name: &str) -> Option<Arc<ImageRecord>> {
        image_state::record(&self.project, self.entry(name)?)
    }

    /// The state of an image here, after a bake of what was planned; `None` when it was not made.
    pub(crate) fn baked(&self, planned: &ImageState, outcome: &Outcome) -> Option<ImageState> {
        image_state::after(&self.project, outcome, self.entry(&planned.name)?, planned)
    }

    fn entry(&self, name: &str) -> Option<&ImageEntry> {
        self.project.images().find(|entry| entry.image.name == name)
    }

    /// How many nodes are missing.
    pub(crate) fn to_build(&self) -> usize {
        self.plan.as_ref().map_or(0, Plan::to_build)
    }
}

/// The places of the wanted deployments, with what their images consist of where `baking`. Asks nothing over the
/// network that the environment says.
///
/// # Errors
/// Every mistake in the recipes, the names and the inputs; nobody says where.
pub(crate) async fn regions<'a>(
    global: &Global,
    recipes: &Recipes<'a>,
    baking: bool,
    interrupted: &watch::Receiver<bool>,
) -> Result<Vec<Region<'a>>, Vec<Error>> {
    let document = &recipes.document;
    let mut sites: Vec<(Target, &'a dyn Driver, Vec<DeploymentNode>)> = Vec::new();
    let mut errors = Vec::new();
    for node in wanted(recipes)? {
        let Some(image) = document.images().get(node.image) else {
            errors.push(Error::input(format!("`{}` has no image", node.name)).at(&node.origin));
            continue;
        };
        let driver = recipes.driver_named(runs(node))?;
        match driver.site(node, image).await {
            Err(found) => errors.extend(found),
            Ok(target) => match sites.iter_mut().find(|(known, ..)| *known == target) {
                Some((.., nodes)) => nodes.push(node.clone()),
                None => sites.push((target, driver, vec![node.clone()])),
            },
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let lock = read_lock(global)?;
    let mut regions: Vec<Region<'a>> = Vec::new();
    for (target, driver, nodes) in sites {
        let name = target.place.clone().unwrap_or_default();
        let at = At {
            store: &global.store,
            project: recipes.document.project(),
            target: &target,
            interrupted: interrupted.clone(),
        };
        let index = match regions.iter().position(|region| region.name == name) {
            Some(index) => index,
            None => {
                let deployer = deployer(driver, &at).await?;
                let (nodes, bakes, desired, observed) = Default::default();
                regions.push(Region { name, driver, deployer, nodes, bakes, desired, observed });
                regions.len() - 1
            }
        };
        if baking {
            let mut images: Vec<String> = Vec::new();
            for node in &nodes {
                let name = &document.images()[node.image].name;
                if !images.contains(name) {
                    images.push(name.clone());
                }
            }
            let document = document.clone();
            let lock = Arc::clone(&lock);
            let project = Project::of(&global.store, document, &images, driver, target, lock)?;
            let deployments = nodes.iter().map(|node| node.name.clone()).collect();
            regions[index].bakes.push(Baking { project, deployments, plan: None });
        }
        regions[index].nodes.extend(nodes);
    }
    Ok(regions)
}

/// The place that the environment names: where a deployment is looked for that no recipe has.
///
/// # Errors
/// When it names none.
pub(crate) async fn elsewhere<'a>(
    global: &Global,
    recipes: &Recipes<'a>,
    interrupted: &watch::Receiver<bool>,
) -> Result<Region<'a>, Vec<Error>> {
    let driver = recipes.driver_named(crate::driver::EC2)?;
    let target = driver.place().await.map_err(|error| vec![error])?;
    let at = At {
        store: &global.store,
        project: recipes.document.project(),
        target: &target,
        interrupted: interrupted.clone(),
    };
    let deployer = deployer(driver, &at).await?;
    let name = target.place.clone().unwrap_or_default();
    let (nodes, bakes, desired, observed) = Default::default();
    Ok(Region { name, driver, deployer, nodes, bakes, desired, observed })
}

async fn deployer(driver: &dyn Driver, at: &At<'_>) -> Result<Box<dyn Deployer>, Vec<Error>> {
    let found = driver.deployer(at).await.map_err(|error| vec![error])?;
    found.ok_or_else(|| vec![Error::input(format!("`{}` runs no servers", driver.name()))])
}

/// The deployments of the given names; all without any.
fn wanted<'r>(recipes: &'r Recipes<'_>) -> Result<Vec<&'r DeploymentNode>, Vec<Error>> {
    let all = recipes.document.deployments();
    if recipes.names.is_empty() {
        return Ok(all.iter().collect());
    }
    let unknown = recipes.names.iter().filter(|name| recipes.deployment(name).is_none());
    let errors: Vec<Error> = unknown.map(|name| recipes.unknown_deployment(name)).collect();
    match errors.is_empty() {
        true => Ok(all.iter().filter(|node| recipes.names.contains(&node.name)).collect()),
        false => Err(errors),
    }
}
