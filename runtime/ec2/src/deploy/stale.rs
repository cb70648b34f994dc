use super::front::{Front, Stand};
use super::names::{BALANCER, SERVERS};
use super::security;
use super::works::Works;
use super::world::World;
use crate::run::{Age, Object, try_remove};
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::collections::BTreeSet;
use std::time::Duration;

impl Works<'_> {
    /// Removes load balancers and target groups of the deployment that it does not want any more. Their servers have left.
    pub(super) async fn remove_stale(
        self,
        world: &World,
        front: &Front<'_>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let kept = match front {
            Front::Made(stand) => Some(stand.balancer.as_str()),
            Front::Named(_) | Front::Nothing => None,
        };
        let balancers = world.balancers_of(self.names()).filter_map(|one| one.load_balancer_arn());
        for arn in balancers.filter(|arn| Some(*arn) != kept) {
            output("removing the load balancer that was there before");
            super::removal::balancer(self.aws(), arn).await?;
        }
        let groups = world.target_groups_of(self.names()).filter_map(|one| one.target_group_arn());
        for arn in groups.filter(|arn| Some(*arn) != front.target_group()) {
            super::removal::target_group(self.aws(), arn).await?;
        }
        Ok(())
    }

    /// Removes security groups of load balancers that are gone, and those of servers in a network that none is in any more.
    pub(super) async fn remove_stale_security(
        self,
        world: &World,
        front: &Front<'_>,
    ) -> Result<(), Error> {
        let name = &self.deployment.name;
        let kept = match front {
            Front::Made(Stand { security, .. }) => Some(security.as_str()),
            Front::Named(_) | Front::Nothing => None,
        };
        let of_balancers = world.securities_of(name, BALANCER).filter_map(|one| one.group_id());
        let stale: Vec<&str> = of_balancers.filter(|id| Some(*id) != kept).collect();
        for servers in world.securities_of(name, SERVERS) {
            let mut rules = security::read(servers);
            rules.retain(|(_, from)| stale.contains(&from.as_str()));
            // What a rule names cannot go.
            self.revoke(servers.group_id().unwrap_or_default(), &rules)
                .await
                .map_err(|refusal| self.refused(refusal, "change the security group"))?;
        }
        for id in stale {
            super::removal::security(self.aws(), id).await?;
        }
        let Some(used) = world.networks_of(name) else { return Ok(()) };
        let wanted = self.network_of_servers(front).await?;
        let used: BTreeSet<&str> = used.into_iter().chain(wanted.as_deref()).collect();
        for servers in world.securities_of(name, SERVERS) {
            if servers.vpc_id().is_none_or(|vpc| used.contains(vpc)) {
                continue;
            }
            // Servers that are ending may be in it still: then it goes another time, or with everything.
            let (id, at_once) = (servers.group_id().unwrap_or_default(), Duration::ZERO);
            let (object, age) = (Object::SecurityGroup, Age::Settled);
            try_remove(self.aws(), object, id, age, (at_once, at_once)).await?;
        }
        Ok(())
    }

    async fn network_of_servers(self, front: &Front<'_>) -> Result<Option<String>, Error> {
        if let Front::Made(stand) = front {
            return Ok(Some(stand.network.vpc.clone()));
        }
        let named = &self.target().subnets;
        let network = super::network::Network::of(self.aws(), named, self.origin()).await?;
        Ok(Some(network.vpc))
    }
}
