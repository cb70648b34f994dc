use super::balancer::Forwards;
use super::listening::Listening;
use super::names::{BALANCER, FRONT};
use super::network::Network;
use super::security::Unwanted;
use super::traits::{balancer_subnets, drain, seconds, subnets};
use super::works::Works;
use super::world::World;
use crate::aws::Refusal;
use crate::aws::tags::Tags;
use aws_sdk_ec2::types::Tag;
use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use kiln::{LoadBalancer, NewLoadBalancer};
use kiln_engine::Error;
use kiln_engine::driver::Output;

/// What stands before the servers.
struct Front {
    /// The load balancer's ARN.
    balancer: String,
    dns_name: String,
    /// Its ARN.
    target_group: String,
    /// The id of the load balancer's security group.
    security: String,
}

impl Works<'_> {
    /// Makes what stands before the servers, or makes it as declared. What servers that have traffic need comes before
    /// what they had goes.
    pub(super) async fn prepare(self, output: Output<'_>) -> Result<(), Error> {
        let project = &self.inner.project;
        let world = World::read(self.aws(), project, Some(&self.deployment.name)).await;
        let world = world.map_err(|refusal| self.refused(refusal, "see what runs"))?;
        let wanted = match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made)) => {
                let front = self.front(made, &world).await?;
                self.join(&world, Some(&front.target_group), output).await?;
                self.settle(made, &front, output).await?;
                Some(front.target_group)
            }
            Some(LoadBalancer::TargetGroup { arn, .. }) => {
                self.named_target_group(arn, Unwanted::Stay).await?;
                self.join(&world, Some(arn), output).await?;
                Some(arn.clone())
            }
            None => {
                self.plain_security(Unwanted::Stay).await?;
                self.join(&world, None, output).await?;
                None
            }
        };
        self.leave(&world, wanted.as_deref()).await?;
        self.remove_stale(&world, wanted.as_deref(), output).await?;
        self.close().await
    }

    /// Lets nobody in any more who is not declared: last, because traffic that has not moved needs the old rules.
    async fn close(self) -> Result<(), Error> {
        match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made)) => {
                let named = balancer_subnets(self.deployment, made);
                let vpc = Network::of(self.aws(), named, &made.origin).await?.vpc;
                let security = self.balancer_security(made, &vpc, Unwanted::Go).await?;
                self.servers_security(Some(&security), &vpc, Unwanted::Go).await.map(drop)
            }
            Some(LoadBalancer::TargetGroup { arn, .. }) => {
                self.named_target_group(arn, Unwanted::Go).await
            }
            None => self.plain_security(Unwanted::Go).await,
        }
    }

    /// A load balancer with all that it needs. Where its servers are in another target group of its, that one keeps
    /// the traffic.
    async fn front(self, made: &NewLoadBalancer, world: &World) -> Result<Front, Error> {
        let named = balancer_subnets(self.deployment, made);
        let of_servers = &self.target().subnets;
        let network = Network::of(self.aws(), named, &made.origin).await?;
        if named != of_servers {
            let servers = Network::of(self.aws(), of_servers, self.origin()).await?;
            if servers.vpc != network.vpc {
                let message = format!(
                    "the load balancer is in `{}`, its servers in `{}`",
                    network.vpc, servers.vpc
                );
                let error = Error::input(message).at(&made.origin);
                return Err(error.help("name subnets of one network for both"));
            }
        }
        let vpc = network.vpc.as_str();
        let name = self.names().balancer(made.kind, made.internal, vpc);
        let (security, target_group) = tokio::try_join!(
            self.balancer_security(made, vpc, Unwanted::Stay),
            self.target_group(made, &name, vpc),
        )?;
        let (balancer, _servers) = tokio::try_join!(
            self.balancer(made, &network, &security),
            self.servers_security(Some(&security), vpc, Unwanted::Stay),
        )?;
        let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
        let of_it = world.target_groups_of(self.names());
        let of_it = of_it.filter(|one| one.load_balancer_arns().contains(&arn));
        let has_servers = |group: &&str| {
            let mut groups = world.groups_of(&self.deployment.name);
            groups.any(|one| one.target_group_arns().iter().any(|arn| arn == group))
        };
        let before =
            of_it.filter_map(|one| one.target_group_arn()).filter(|arn| *arn != target_group);
        let mut to: Forwards =
            before.filter(has_servers).map(|group| (group.to_owned(), 1)).collect();
        to.insert(target_group.clone(), i32::from(to.is_empty()));
        self.listener(made, &arn, &to).await?;
        self.until_active(made, &arn).await?;
        let dns_name = balancer.dns_name.unwrap_or_default();
        Ok(Front { balancer: arn, dns_name, target_group, security })
    }

    /// Once the servers are where they are to be.
    async fn settle(
        self,
        made: &NewLoadBalancer,
        front: &Front,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let Front { balancer, dns_name, target_group, security } = front;
        self.listener(made, balancer, &[(target_group.clone(), 1)].into()).await?;
        self.elb_retag(&[balancer.clone(), target_group.clone()]).await?;
        self.mark(made, security).await?;
        output(&format!("`{}` answers on {dns_name}", self.deployment.name));
        Ok(())
    }

    /// Writes down, last, what only a call for each balancer would show: where it is not so, nothing is.
    async fn mark(self, made: &NewLoadBalancer, security: &str) -> Result<(), Error> {
        let named = balancer_subnets(self.deployment, made);
        let marks: Tags = [
            ("listener", Listening::declared(made).to_string()),
            ("drain", drain(seconds(made.drain_ms))),
            ("balancer_subnets", super::traits::fit(subnets(named))),
        ]
        .map(|(name, value)| (format!("{FRONT}{name}"), value))
        .into();
        let mut all = self.names().tags(self.deployment);
        all.extend(marks);
        self.tag_security(security, &all).await
    }

    async fn tag_security(self, id: &str, all: &Tags) -> Result<(), Error> {
        let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build();
        let call = self.aws().ec2.create_tags().resources(id);
        let call = call.set_tags(Some(all.iter().map(tag).collect()));
        let done =
            super::seen::once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await;
        done.map_err(|refusal| self.refused(refusal, "tag the security group"))
    }

    /// Servers that nobody hands traffic to.
    async fn plain_security(self, unwanted: Unwanted) -> Result<(), Error> {
        if self.target().security_groups.is_empty() {
            let network = Network::of(self.aws(), &self.target().subnets, self.origin()).await?;
            self.servers_security(None, &network.vpc, unwanted).await?;
        }
        Ok(())
    }

    /// Somebody else's target group: it is there, and in the servers' network.
    async fn named_target_group(self, arn: &str, unwanted: Unwanted) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "see the target group");
        let call = self.aws().elb.describe_target_groups().target_group_arns(arn).send().await;
        let groups = call.map_err(|error| told(error.into()))?.target_groups.unwrap_or_default();
        let there = groups.first().ok_or_else(|| {
            told(Refusal::of("TargetGroupNotFound", format!("`{arn}` is not there")))
        })?;
        let network = Network::of(self.aws(), &self.target().subnets, self.origin()).await?;
        let vpc = there.vpc_id().unwrap_or_default();
        if vpc != network.vpc {
            let message =
                format!("the target group is of `{vpc}`, the servers are in `{}`", network.vpc);
            let error = Error::input(message).at(self.origin());
            return Err(error.help("name subnets of the target group's network"));
        }
        if !self.target().security_groups.is_empty() {
            return Ok(());
        }
        // Below TCP the balancer hands the clients' own addresses on; above, everything comes from it.
        let balancer = match there.protocol() {
            Some(ProtocolEnum::Http | ProtocolEnum::Https) => {
                self.security_before(there.load_balancer_arns()).await.map_err(told)?
            }
            _ => None,
        };
        self.servers_security(balancer.as_deref(), vpc, unwanted).await.map(drop)
    }

    /// The security group of the load balancer that a target group belongs to.
    async fn security_before(self, balancers: &[String]) -> Result<Option<String>, Refusal> {
        let Some(arn) = balancers.first() else { return Ok(None) };
        let call = self.aws().elb.describe_load_balancers().load_balancer_arns(arn);
        let there = call.send().await?.load_balancers.unwrap_or_default().pop();
        Ok(there.and_then(|one| one.security_groups().first().cloned()))
    }

    /// Removes load balancers and target groups of the deployment that it does not want any more.
    async fn remove_stale(
        self,
        world: &World,
        wanted: Option<&str>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let names = self.names();
        let stale: Vec<String> = world
            .target_groups_of(names)
            .filter_map(|one| one.target_group_arn.clone())
            .filter(|arn| Some(arn.as_str()) != wanted)
            .collect();
        let kept = match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made)) => {
                let named = balancer_subnets(self.deployment, made);
                let vpc = Network::of(self.aws(), named, &made.origin).await?.vpc;
                Some(names.balancer(made.kind, made.internal, &vpc))
            }
            _ => None,
        };
        let balancers: Vec<String> = world
            .balancers_of(names)
            .filter(|one| one.load_balancer_name() != kept.as_deref())
            .filter_map(|one| one.load_balancer_arn.clone())
            .collect();
        for arn in balancers {
            output("removing the load balancer that was there before");
            super::removal::balancer(self.aws(), &arn).await?;
        }
        for arn in stale {
            super::removal::target_group(self.aws(), &arn).await?;
        }
        let is_left = kept.is_none() && world.security(&self.deployment.name, BALANCER).is_some();
        if is_left && let Some(group) = world.security(&self.deployment.name, BALANCER) {
            let id = group.group_id().unwrap_or_default();
            super::removal::security(self.aws(), id).await?;
        }
        Ok(())
    }
}
