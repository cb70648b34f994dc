//! Where images are built. One rule for all commands: an image is built, by the builder in question, at each place
//! where it is deployed; one that no deployment uses, where itself or the environment says.

use crate::driver::{Driver, runs};
use crate::recipes::Recipes;
use kiln::{BaseNode, DeploymentNode, Document};
use kiln_engine::Error;
use kiln_engine::key::Target;
use std::collections::BTreeSet;

/// Images that one builder builds at one place, for one architecture.
pub(crate) struct Place<'a> {
    pub(crate) driver: &'a dyn Driver,
    pub(crate) target: Target,
    /// The images, in the order of the recipes.
    pub(crate) names: Vec<String>,
}

/// The places of the wanted images.
///
/// # Errors
/// For each name that no image has, and each place that nobody says or that is contradicted.
pub(crate) async fn places<'a>(recipes: &Recipes<'a>) -> Result<Vec<Place<'a>>, Vec<Error>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    let mut errors = Vec::new();
    for (builder, names) in recipes.by_builder()? {
        let driver = recipes.driver_named(&builder)?;
        let (sites, mistakes) = sites(&recipes.document, driver, &names).await;
        errors.extend(mistakes);
        for image in recipes.images().into_iter().filter(|image| names.contains(&image.name)) {
            let mut here = sites.iter().filter(|(used, _)| used.contains(&image.name)).peekable();
            if here.peek().is_none() {
                match driver.target(image).await {
                    Ok(target) => add(&mut places, driver, target, &image.name),
                    Err(found) => errors.extend(found),
                }
            }
            here.filter_map(|(_, target)| target.clone())
                .for_each(|target| add(&mut places, driver, target, &image.name));
        }
    }
    if errors.is_empty() { Ok(places) } else { Err(errors) }
}

fn add<'a>(places: &mut Vec<Place<'a>>, driver: &'a dyn Driver, target: Target, name: &str) {
    match places.iter_mut().find(|place| place.target == target) {
        Some(place) if place.names.iter().any(|known| known == name) => {}
        Some(place) => place.names.push(name.to_owned()),
        None => places.push(Place { driver, target, names: vec![name.to_owned()] }),
    }
}

/// What a deployment needs images for: which, and where. `None`: that is a mistake.
type Site = (BTreeSet<String>, Option<Target>);

/// Of each deployment that uses one of the images, and whose servers this driver runs. Beside them each mistake.
async fn sites(
    document: &Document,
    driver: &dyn Driver,
    names: &[String],
) -> (Vec<Site>, Vec<Error>) {
    let (mut sites, mut errors) = (Vec::new(), Vec::new());
    for deployment in document.deployments().iter().filter(|node| runs(node) == driver.name()) {
        let used = used_by(document, deployment);
        let Some(image) = document.images().get(deployment.image) else { continue };
        if !names.iter().any(|name| used.contains(name)) {
            continue;
        }
        let target = driver.site(deployment, image).await;
        sites.push((used, target.map_err(|found| errors.extend(found)).ok()));
    }
    (sites, errors)
}

/// The images that a deployment needs: its own, and those that this stands on.
pub(crate) fn used_by(document: &Document, deployment: &DeploymentNode) -> BTreeSet<String> {
    let images = document.images();
    let below = |index: &usize| match images.get(*index)?.base {
        BaseNode::Image(base) => Some(base),
        _ => None,
    };
    let chain = std::iter::successors(Some(deployment.image), below);
    chain.filter_map(|index| Some(images.get(index)?.name.clone())).collect()
}
