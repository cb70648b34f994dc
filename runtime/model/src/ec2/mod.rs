//! Where on EC2 an image is baked: what a recipe says of it, how an image takes from its base what it leaves
//! unsaid, and what cannot be.

mod inherit;
mod volume;

pub use volume::Volume;

use crate::{Origin, Problems};
use kiln_rules as rules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The instance type that an image is baked on unless it says another.
const DEFAULT_TYPE: &str = "t3.small";

/// Where on EC2 an image is baked, and on what. See [`ec2`].
///
/// What is left unsaid is taken from the image's base image; what that leaves unsaid too is the driver's to
/// choose, so that an empty account will do. Only what reaches the image is in its cache key: the user data and the
/// volume. Where a layer was baked does not change what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ec2 {
    /// Where it was named.
    pub origin: Origin,
    /// The region; `None`: that of the environment, as every tool of AWS finds it.
    pub region: Option<String>,
    /// The instance type; `None`: the driver's default for the architecture.
    pub instance_type: Option<String>,
    /// The subnet; `None`: one of the default VPC.
    pub subnet: Option<String>,
    /// The security groups; empty: one is made for the bake, which lets in SSH from here alone.
    pub security_groups: Vec<String>,
    /// The instance profile, by name or ARN, whose role commands of the bake have; `None`: they have none.
    pub instance_profile: Option<String>,
    /// The volume that it boots from, and the AMI's; `None`: as the base's.
    pub volume: Option<Volume>,
    /// Tags of all that is made, the AMI and its snapshots too.
    pub tags: BTreeMap<String, String>,
    /// What cloud-init is handed beside what Kiln itself needs; `None`: nothing.
    pub user_data: Option<String>,
    /// Which address of the instance is connected to.
    pub address: Address,
}

/// Which address of an instance is connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// The one in its subnet: from inside the VPC, or through a VPN.
    Private,
    /// The one on the internet, which it is given for the bake.
    Public,
    /// The public one where it has one, else the private one.
    #[default]
    Auto,
}

/// Bakes an image on EC2, as an AMI. All there is to say is optional.
///
/// ```
/// # use kiln::prelude::*;
/// let builder = ec2().region("eu-west-1").instance_type("t4g.small");
/// assert_eq!(builder.architecture(), "arm64");
/// ```
#[track_caller]
pub fn ec2() -> Ec2 {
    Ec2::at(Origin::caller())
}

impl Ec2 {
    /// One that says nothing, named at this place.
    pub(crate) fn at(origin: Origin) -> Self {
        Self {
            origin,
            region: None,
            instance_type: None,
            subnet: None,
            security_groups: Vec::new(),
            instance_profile: None,
            volume: None,
            tags: BTreeMap::new(),
            user_data: None,
            address: Address::default(),
        }
    }

    /// The region: `eu-west-1`. That of the environment unless told.
    #[must_use]
    pub fn region(mut self, code: impl Into<String>) -> Self {
        self.region = Some(code.into());
        self
    }

    /// The instance type that bakes: `t3.small` unless told. It decides the image's architecture.
    #[must_use]
    pub fn instance_type(mut self, name: impl Into<String>) -> Self {
        self.instance_type = Some(name.into());
        self
    }

    /// The subnet: `subnet-…`. One of the default VPC unless told.
    #[must_use]
    pub fn subnet(mut self, id: impl Into<String>) -> Self {
        self.subnet = Some(id.into());
        self
    }

    /// The security groups: `sg-…`. They must let in SSH from here. Unless told one is made for the bake that does.
    #[must_use]
    pub fn security_groups<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.security_groups = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The instance profile, by name or ARN, whose role commands have while baking. None unless told.
    #[must_use]
    pub fn instance_profile(mut self, name: impl Into<String>) -> Self {
        self.instance_profile = Some(name.into());
        self
    }

    /// The volume that it boots from, and the AMI's: as the base's unless told.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volume = Some(volume);
        self
    }

    /// Tags of all that is made: instance, volume, snapshots, AMI.
    #[must_use]
    pub fn tags<K: Into<String>, V: Into<String>>(
        mut self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// What cloud-init is handed when the instance starts, beside what Kiln itself needs: at most 16 KiB.
    #[must_use]
    pub fn user_data(mut self, text: impl Into<String>) -> Self {
        self.user_data = Some(text.into());
        self
    }

    /// Which address is connected to. The public one where there is one, unless told.
    #[must_use]
    pub fn address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// What the instance type executes, in Debian's words: `amd64` or `arm64`.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        rules::architecture(self.instance_type.as_deref().unwrap_or(DEFAULT_TYPE))
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        let Self {
            origin,
            region,
            instance_type,
            subnet,
            security_groups,
            instance_profile,
            volume,
            tags,
            user_data,
            address: _,
        } = self;
        let said = [
            region.as_deref().map(rules::region),
            instance_type.as_deref().map(rules::instance_type),
            subnet.as_deref().map(rules::subnet),
            instance_profile.as_deref().map(rules::instance_profile),
            user_data.as_deref().map(rules::user_data),
            Some(rules::tags(tags.len())),
        ];
        let groups = security_groups.iter().map(|id| rules::security_group(id));
        let tags = tags
            .iter()
            .flat_map(|(key, value)| [rules::tag_key(key), rules::tag_value(key, value)]);
        for outcome in said.into_iter().flatten().chain(groups).chain(tags) {
            problems.check(origin, outcome);
        }
        if let Some(volume) = volume {
            volume.check(origin, problems);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_said_is_kept() {
        let said = ec2()
            .region("eu-west-1")
            .instance_type("c7g.large")
            .subnet("subnet-0a1b2c3d")
            .security_groups(["sg-0a1b2c3d"])
            .instance_profile("baker")
            .volume(Volume::new().size(16).kind("gp3").iops(4000).throughput(250))
            .tags([("team", "web")])
            .user_data("#cloud-config\n")
            .address(Address::Private);
        let mut problems = Problems::default();
        said.check(&mut problems);
        assert_eq!(problems.into_vec(), []);
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<Ec2>(&text).unwrap(), said);
        assert_eq!(said.volume.as_ref().and_then(|volume| volume.iops), Some(4000));
        assert!(text.contains(r#""address":"private""#), "{text}");
    }

    #[test]
    fn every_malformed_value_is_noted() {
        let wrong = ec2()
            .region("eu-wset-1")
            .instance_type("t3.smal")
            .subnet("sub")
            .security_groups(["default"])
            .instance_profile("a b")
            .volume(Volume::new().size(0).kind("gp4").iops(1).throughput(1))
            .tags([("aws:x", "y"), ("z", "\n")])
            .user_data("x".repeat(20_000));
        let mut problems = Problems::default();
        wrong.check(&mut problems);
        let problems = problems.into_vec();
        assert_eq!(problems.len(), 12, "{problems:#?}");
        assert!(problems.iter().all(|problem| problem.origin == wrong.origin));
    }

    #[test]
    fn without_a_type_the_architecture_is_that_of_the_default() {
        assert_eq!(ec2().architecture(), "amd64");
        assert_eq!(rules::instance_type(DEFAULT_TYPE), Ok(()));
    }
}
