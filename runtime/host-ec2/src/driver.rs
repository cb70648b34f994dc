use crate::{site, state};
use async_trait::async_trait;
use kiln::{BuilderNode, DeploymentNode, ImageNode};
use kiln_cli::{At, Driver};
use kiln_ec2::Ec2;
use kiln_engine::Error;
use kiln_engine::driver::{ArtifactIndex, Builder, Collector, Deployer, State};
use kiln_engine::key::Target;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// EC2 among the host's builders.
#[derive(Debug, Default)]
pub(crate) struct Amazon {
    /// The region of the environment, found out once.
    region: OnceCell<String>,
    /// The first that was opened of each region: the others share its connections and its poller.
    opened: Mutex<BTreeMap<String, Ec2>>,
}

impl Amazon {
    async fn region(&self) -> Result<String, Error> {
        self.region.get_or_try_init(kiln_ec2::region).await.cloned()
    }

    async fn open(&self, at: &At<'_>) -> Result<Ec2, Error> {
        let region = at.target.place.as_deref().unwrap_or_default();
        let place = kiln_ec2::Place {
            store: at.store,
            project: at.project,
            region,
            architecture: &at.target.architecture,
            interrupted: at.interrupted.clone(),
        };
        let mut opened = self.opened.lock().await;
        match opened.get(region) {
            Some(first) => Ok(first.beside(place)),
            None => {
                let first = Ec2::open(place).await?;
                opened.insert(region.to_owned(), first.clone());
                Ok(first)
            }
        }
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

    async fn target(&self, image: &ImageNode) -> Result<Target, Vec<Error>> {
        let said = image.builder.as_ref().map(|BuilderNode::Ec2(ec2)| ec2);
        let region = match said.and_then(|ec2| ec2.region.clone()) {
            Some(region) => region,
            None => self
                .region()
                .await
                .map_err(|error| vec![error.at(said.map_or(&image.origin, |ec2| &ec2.origin))])?,
        };
        // An image that says nothing of it is baked on the default type.
        let by_default = kiln::ec2();
        let architecture = said.unwrap_or(&by_default).architecture().to_owned();
        Ok(Target { builder: self.name().into(), place: Some(region), architecture })
    }

    async fn index(&self, at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error> {
        Ok(Box::new(self.open(at).await?))
    }

    async fn builder(&self, at: &At<'_>) -> Result<Box<dyn Builder>, Error> {
        Ok(Box::new(self.open(at).await?))
    }

    async fn collector(&self, at: &At<'_>) -> Result<Option<Box<dyn Collector>>, Error> {
        Ok(Some(Box::new(self.open(at).await?)))
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
        Ok(Some(Box::new(self.open(at).await?.deployer())))
    }

    async fn state(
        &self,
        address: &str,
        project: &str,
        lease_time: Duration,
    ) -> Result<Box<dyn State>, Error> {
        state::open(address, project, lease_time).await
    }
}
