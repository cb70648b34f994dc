//! Where servers run: what `target` takes.

use super::{Ec2Target, TargetNode};
use crate::{Origin, Problems, Volume};
use kiln_rules as rules;

/// Servers on EC2. All there is to say is optional.
///
/// ```
/// # use kiln::prelude::*;
/// let target = target::ec2().region("eu-west-1").instance_type("t4g.small");
/// assert_eq!(target.architecture(), "arm64");
/// ```
#[track_caller]
#[must_use]
pub fn ec2() -> Ec2Target {
    Ec2Target {
        origin: Origin::caller(),
        region: None,
        instance_type: rules::SERVER_TYPE.into(),
        subnets: Vec::new(),
        security_groups: Vec::new(),
        instance_profile: None,
        volume: None,
        user_data: None,
        public_address: None,
    }
}

impl From<Ec2Target> for TargetNode {
    fn from(target: Ec2Target) -> Self {
        Self::Ec2(target)
    }
}

impl TargetNode {
    pub(super) fn check(&self, problems: &mut Problems) {
        match self {
            Self::Ec2(target) => target.check(problems),
        }
    }
}

impl Ec2Target {
    /// The region: `eu-west-1`. That of the environment unless told.
    #[must_use]
    pub fn region(mut self, code: impl Into<String>) -> Self {
        self.region = Some(code.into());
        self
    }

    /// The instance type: `t3.micro` unless told. It must execute what the image was baked for.
    #[must_use]
    pub fn instance_type(mut self, name: impl Into<String>) -> Self {
        self.instance_type = name.into();
        self
    }

    /// The subnets that servers are spread over: `subnet-…`. Those of the default VPC unless told.
    #[must_use]
    pub fn subnets<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.subnets = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The security groups: `sg-…`. Unless told one is made that lets in the declared ports, from the load balancer
    /// alone where the deployment makes one.
    #[must_use]
    pub fn security_groups<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.security_groups = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The instance profile, by name or ARN, whose role servers have. None unless told.
    #[must_use]
    pub fn instance_profile(mut self, name: impl Into<String>) -> Self {
        self.instance_profile = Some(name.into());
        self
    }

    /// The volume that servers boot from: as the image's unless told.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volume = Some(volume);
        self
    }

    /// What cloud-init is handed when a server starts, at most 16 KiB: nothing unless told.
    #[must_use]
    pub fn user_data(mut self, text: impl Into<String>) -> Self {
        self.user_data = Some(text.into());
        self
    }

    /// Whether servers have an address on the internet: as the subnet says unless told.
    #[must_use]
    pub fn public_address(mut self, given: bool) -> Self {
        self.public_address = Some(given);
        self
    }

    /// What the instance type executes, in Debian's words: `amd64` or `arm64`.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        rules::architecture(&self.instance_type)
    }

    fn check(&self, problems: &mut Problems) {
        let Self {
            origin,
            region,
            instance_type,
            subnets,
            security_groups,
            instance_profile,
            volume,
            user_data,
            public_address: _,
        } = self;
        let said = [
            region.as_deref().map(rules::region),
            Some(rules::instance_type(instance_type)),
            instance_profile.as_deref().map(rules::instance_profile),
            user_data.as_deref().map(rules::user_data),
        ];
        let subnets = subnets.iter().map(|id| rules::subnet(id));
        let groups = security_groups.iter().map(|id| rules::security_group(id));
        for outcome in said.into_iter().flatten().chain(subnets).chain(groups) {
            problems.check(origin, outcome);
        }
        if let Some(volume) = volume {
            volume.check(origin, problems);
        }
    }
}
