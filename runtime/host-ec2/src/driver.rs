use crate::{site, state};
use async_trait::async_trait;
use kiln::{BuilderNode, DeploymentNode, Ec2, ImageNode};
use kiln_cli::{At, Driver};
use kiln_engine::Error;
use kiln_engine::driver::{ArtifactIndex, Builder, Collector, Deployer, State};
use kiln_engine::key::Target;
use std::time::Duration;
use tokio::sync::OnceCell;

/// EC2 among the host's builders.
#[derive(Debug, Default)]
pub(crate) struct Amazon {
    /// The region of the environment, found out once.
    region: OnceCell<String>,
}

impl Amazon {
    async fn region(&self) -> Result<String, Error> {
        self.region.get_or_try_init(kiln_ec2::region).await.cloned()
    }
}

#[async_trait]
impl Driver for Amazon {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn publishes(&self) -> bool {
        true
    }

    /// Nothing here is busy while instances work: it bounds how many there are at once.
    fn jobs(&self) -> usize {
        8
    }

    async fn target(&self, images: &[&ImageNode]) -> Result<Target, Vec<Error>> {
        let said: Vec<(&ImageNode, &Ec2)> =
            images.iter().filter_map(|image| Some((*image, recipe(image)?))).collect();
        let mut errors = Vec::new();
        let region = one(&said, "baked in", |ec2| ec2.region.clone(), &mut errors);
        // An image that says nothing of it is baked on the default type.
        let types = one(&said, "baked for", |ec2| Some(ec2.architecture().to_owned()), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let region = match region {
            Some(region) => region,
            None => self.region().await.map_err(|error| {
                vec![match said.first() {
                    Some((_, ec2)) => error.at(&ec2.origin),
                    None => error,
                }]
            })?,
        };
        let architecture = types.unwrap_or_else(|| kiln::ec2().architecture().to_owned());
        Ok(Target { builder: self.name().into(), place: Some(region), architecture })
    }

    async fn index(&self, at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error> {
        Ok(Box::new(open(at).await?))
    }

    async fn builder(&self, at: &At<'_>) -> Result<Box<dyn Builder>, Error> {
        Ok(Box::new(open(at).await?))
    }

    async fn collector(&self, at: &At<'_>) -> Result<Option<Box<dyn Collector>>, Error> {
        Ok(Some(Box::new(open(at).await?)))
    }

    async fn site(
        &self,
        deployment: &DeploymentNode,
        image: &ImageNode,
    ) -> Result<Target, Vec<Error>> {
        let site = site::of(deployment, image)?;
        let region = match site.region {
            Some(region) => region,
            None => self.region().await.map_err(|error| vec![error.at(site.origin)])?,
        };
        let (builder, architecture) = (self.name().into(), site.architecture);
        Ok(Target { builder, place: Some(region), architecture })
    }

    async fn place(&self) -> Result<Target, Error> {
        let (builder, place) = (self.name().into(), Some(self.region().await?));
        Ok(Target { builder, place, architecture: String::new() })
    }

    async fn deployer(&self, at: &At<'_>) -> Result<Option<Box<dyn Deployer>>, Error> {
        Ok(Some(Box::new(open(at).await?.deployer())))
    }

    async fn state(&self, address: &str, lease_time: Duration) -> Result<Box<dyn State>, Error> {
        state::open(address, lease_time).await
    }
}

async fn open(at: &At<'_>) -> Result<kiln_ec2::Ec2, Error> {
    kiln_ec2::Ec2::open(kiln_ec2::Place {
        store: at.store,
        project: at.project,
        region: at.target.place.as_deref().unwrap_or_default(),
        architecture: &at.target.architecture,
        interrupted: at.interrupted.clone(),
    })
    .await
}

fn recipe(image: &ImageNode) -> Option<&Ec2> {
    match &image.builder {
        Some(BuilderNode::Ec2(ec2)) => Some(ec2),
        None => None,
    }
}

/// What all images agree on that say it; each that says something else than the first is a mistake.
fn one(
    said: &[(&ImageNode, &Ec2)],
    how: &str,
    what: impl Fn(&Ec2) -> Option<String>,
    errors: &mut Vec<Error>,
) -> Option<String> {
    let mut values = said.iter().filter_map(|(image, ec2)| Some((*image, *ec2, what(ec2)?)));
    let (first, _, value) = values.next()?;
    for (image, ec2, other) in values.filter(|(.., other)| *other != value) {
        let (name, first) = (&image.name, &first.name);
        let message = format!("`{first}` is {how} `{value}`, `{name}` {how} `{other}`");
        let help = "bake them one after the other: `cargo xtask bake IMAGE`";
        errors.push(Error::input(message).at(&ec2.origin).help(help));
    }
    Some(value)
}
