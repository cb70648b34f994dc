use super::PORT;
use crate::aws::tags::specification;
use crate::aws::{Aws, Refusal, filter, once_visible};
use crate::run::{Age, LIFETIME, Made, Object, Run, Traced, remove, settle};
use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType};
use kiln_engine::Error;
use std::net::IpAddr;

/// A security group made for one machine: SSH from here, and nothing else.
#[derive(Debug)]
pub(crate) struct Group {
    made: Made,
}

impl Group {
    /// Makes one in the network of a subnet; in the default network when there is none.
    ///
    /// # Errors
    /// When the region has no default network.
    pub(crate) async fn make(aws: &Aws, run: &Run, subnet: Option<&str>) -> Result<Self, Error> {
        let network = match subnet {
            Some(subnet) => Some(network_of(aws, subnet).await?),
            None => None,
        };
        let intent = run.intend(Object::SecurityGroup)?;
        let tags = run.tags(&intent, Some(LIFETIME));
        let answer = aws
            .ec2
            .create_security_group()
            .group_name(format!("kiln {}", intent.token()))
            .description("SSH from the machine that bakes")
            .set_vpc_id(network)
            .tag_specifications(specification(ResourceType::SecurityGroup, &tags))
            .send()
            .await;
        let answer = answer.map(|answer| answer.group_id.unwrap_or_default());
        let what = "cannot make a security group for the bake";
        Ok(Self { made: settle(aws, intent, answer.map_err(Refusal::from), what).await? })
    }

    pub(crate) fn id(&self) -> &str {
        self.made.id()
    }

    /// Lets SSH in from this machine to an instance whose address is known.
    ///
    /// # Errors
    /// When EC2 refuses it, or nobody knows where this machine is.
    pub(crate) async fn open_to(&self, aws: &Aws, instance: IpAddr) -> Result<(), Error> {
        let from = tokio::task::spawn_blocking(move || super::reachable_from(instance));
        let from =
            from.await.map_err(|error| Error::environment("lost a thread").caused_by(error))??;
        let ssh = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(i32::from(PORT))
            .to_port(i32::from(PORT))
            .ip_ranges(IpRange::builder().cidr_ip(&from).description("kiln").build())
            .build();
        let call = aws.ec2.authorize_security_group_ingress().group_id(self.id());
        let call = call.ip_permissions(ssh);
        match once_visible(&[self.id()], async || Ok(call.clone().send().await?)).await {
            // The same call again, after its answer was lost.
            Err(refusal) if refusal.code() == "InvalidPermission.Duplicate" => self.made.seen(),
            Err(refusal) => Err(refusal.error("cannot let SSH in to the machine that bakes")),
            Ok(_) => self.made.seen(),
        }
    }

    /// Leaves it to a person, with the machine that it is for.
    pub(crate) fn keep(self) -> Result<(), Error> {
        self.made.done()
    }

    /// Removes it; waits for the interface of a machine that has just ended.
    pub(crate) async fn remove(self, aws: &Aws) -> Result<(), Error> {
        remove(aws, Object::SecurityGroup, self.id(), Age::Young).await?;
        self.made.done()
    }
}

/// Moves an instance that is about to end to the default group of its network, so that its own can go at once.
/// False when that is refused.
pub(crate) async fn leave(aws: &Aws, network: &str, instance: &str) -> bool {
    let groups = aws.ec2.describe_security_groups();
    let groups =
        groups.filters(filter("vpc-id", [network])).filters(filter("group-name", ["default"]));
    let groups = groups.send().await.ok().and_then(|answer| answer.security_groups);
    let groups = groups.unwrap_or_default();
    let Some(default) = groups.first().and_then(|group| group.group_id()) else { return false };
    let moving = aws.ec2.modify_instance_attribute().instance_id(instance).groups(default);
    moving.send().await.is_ok()
}

async fn network_of(aws: &Aws, subnet: &str) -> Result<String, Error> {
    let what = format!("cannot bake in the subnet `{subnet}`");
    let answer = aws.ec2.describe_subnets().subnet_ids(subnet).send().await;
    let answer = answer.map_err(|error| Refusal::from(error).error(&what))?;
    let network = answer.subnets().first().and_then(|subnet| subnet.vpc_id());
    network
        .map(ToOwned::to_owned)
        .ok_or_else(|| Refusal::of("InvalidSubnetID.NotFound", "it is not there").error(&what))
}
