use super::health::{Check, Kind};
use super::load_balancer::Balancer;
use super::{ReplicaBounds, Strategy, TargetNode};
use crate::{Image, Origin};
use std::collections::BTreeMap;

/// An image that runs: where, how many servers, how they are replaced, and how their health is told.
///
/// `deployment!` writes this chain of calls; a recipe can be written by hand with the same.
///
/// ```
/// use kiln::prelude::*;
///
/// fn web() -> Image {
///     Image::new("web", env!("CARGO_MANIFEST_DIR")).base(debian("bookworm"))
/// }
///
/// fn production() -> Deployment {
///     Deployment::new("production")
///         .image(web())
///         .target(target::ec2().region("eu-west-1").instance_type("t3.micro"))
///         .replicas(3)
///         .ports([80])
///         .health(health::http().path("/healthz").soak("30s"))
///         .strategy(strategy::red_black())
///         .load_balancer(load_balancer::application())
/// }
///
/// let document = Document::new("shop").deployment(production());
/// assert_eq!(document.problems(), []);
/// assert_eq!(document.images()[document.deployments()[0].image].name, "web");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) origin: Origin,
    pub(super) image: Option<Image>,
    pub(super) target: Option<TargetNode>,
    pub(super) replicas: (Origin, ReplicaBounds),
    pub(super) ports: (Origin, Vec<u16>),
    pub(super) health: Option<Check<Kind>>,
    pub(super) strategy: (Origin, Strategy),
    pub(super) load_balancer: Option<Balancer>,
    pub(super) tags: (Origin, BTreeMap<String, String>),
}

impl Deployment {
    /// A deployment of which nothing is said yet. It needs an image and a target.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let origin = Origin::caller();
        Self {
            name: name.into(),
            doc: String::new(),
            image: None,
            target: None,
            replicas: (origin.clone(), ReplicaBounds::new()),
            ports: (origin.clone(), Vec::new()),
            health: None,
            strategy: (origin.clone(), Strategy::default()),
            load_balancer: None,
            tags: (origin.clone(), BTreeMap::new()),
            origin,
        }
    }

    /// Gives another name: for a recipe with parameters that appears more than once.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the deployment is, for people.
    #[must_use]
    pub fn doc(mut self, text: impl Into<String>) -> Self {
        self.doc = text.into();
        self
    }

    /// The image that its servers start from.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.image = Some(image);
        self
    }

    /// Where its servers run, and on what: one of [`crate::target`].
    #[must_use]
    pub fn target(mut self, target: impl Into<TargetNode>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// How many servers, or [`ReplicaBounds`]: one unless told.
    #[must_use]
    #[track_caller]
    pub fn replicas(mut self, replicas: impl Into<ReplicaBounds>) -> Self {
        self.replicas = (Origin::caller(), replicas.into());
        self
    }

    /// The TCP ports that its servers listen on: none unless told.
    #[must_use]
    #[track_caller]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = (Origin::caller(), ports.into_iter().collect());
        self
    }

    /// How a healthy server is told: one of [`crate::health`]. By its state alone unless told.
    #[must_use]
    pub fn health(mut self, check: impl Into<Check<Kind>>) -> Self {
        self.health = Some(check.into());
        self
    }

    /// How servers are replaced: one of [`crate::strategy`]. Red/black, with one old generation kept warm, unless told.
    #[must_use]
    #[track_caller]
    pub fn strategy(mut self, strategy: impl Into<Strategy>) -> Self {
        self.strategy = (Origin::caller(), strategy.into());
        self
    }

    /// Who hands traffic to its servers: one of [`crate::load_balancer`]. Nobody unless told.
    #[must_use]
    pub fn load_balancer(mut self, balancer: impl Into<Balancer>) -> Self {
        self.load_balancer = Some(balancer.into());
        self
    }

    /// Tags of all that is made for it, its servers too.
    #[must_use]
    #[track_caller]
    pub fn tags<K: Into<String>, V: Into<String>>(
        mut self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.tags.0 = Origin::caller();
        self.tags.1.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }
}
