use super::listener::{Forwards, forwards};
use super::listening::Listening;
use super::names::{BALANCER, FRONT};
use super::network::Network;
use super::security::Unwanted;
use super::traits::{balancer_subnets, drain, fit, seconds, subnets};
use super::works::Works;
use super::world::World;
use crate::aws::Refusal;
use crate::aws::tags::{self, Tags};
use aws_sdk_ec2::types::Tag;
use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use kiln::{LoadBalancer, NewLoadBalancer};
use kiln_engine::Error;

/// What stands before the servers.
pub(super) enum Front<'a> {
    /// A load balancer that the deployment makes.
    Made(Stand<'a>),
    /// Somebody else's target group, by its ARN.
    Named(&'a str),
    /// Nothing.
    Nothing,
}

/// A load balancer with all that it needs.
pub(super) struct Stand<'a> {
    pub(super) made: &'a NewLoadBalancer,
    /// Its ARN.
    pub(super) balancer: String,
    pub(super) dns_name: String,
    /// Its ARN.
    pub(super) target_group: String,
    /// The id of the load balancer's security group.
    pub(super) security: String,
    pub(super) network: Network,
}

impl Front<'_> {
    /// The target group that servers are to be in.
    pub(super) fn target_group(&self) -> Option<&str> {
        match self {
            Self::Made(stand) => Some(&stand.target_group),
            Self::Named(arn) => Some(arn),
            Self::Nothing => None,
        }
    }
}

impl<'a> Works<'a> {
    /// In which of a network's subnets servers start: where nobody has named any, in the zones of their load balancer, which
    /// forwards to no other.
    pub(super) async fn behind_balancer(self, network: Network) -> Result<Network, Error> {
        match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made))
                if self.target().subnets.is_empty() && !made.subnets.is_empty() =>
            {
                let balancer = Network::of(self.aws(), &made.subnets, &made.origin).await?;
                network.within(&balancer, &made.origin)
            }
            _ => Ok(network),
        }
    }

    /// What is declared, made beside what is there: nothing is taken from servers that have traffic, nor changed for them.
    pub(super) async fn beside(self, world: &World) -> Result<Front<'a>, Error> {
        match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made)) => Ok(Front::Made(self.stand(made, world).await?)),
            Some(LoadBalancer::TargetGroup { arn, .. }) => {
                self.named_target_group(arn, Unwanted::Stay).await?;
                Ok(Front::Named(arn))
            }
            None => {
                self.plain_security(Unwanted::Stay).await?;
                Ok(Front::Nothing)
            }
        }
    }

    async fn stand(self, made: &'a NewLoadBalancer, world: &World) -> Result<Stand<'a>, Error> {
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
            let beyond = network.lacks(&servers);
            if !of_servers.is_empty() && !beyond.is_empty() {
                let zones = beyond.into_iter().collect::<Vec<_>>().join(", ");
                let message =
                    format!("the load balancer does not stand in {zones}, where servers start");
                let error = Error::input(message).at(&made.origin);
                return Err(error.help(
                    "it forwards to its own zones alone: name subnets of the same ones for both",
                ));
            }
        }
        let vpc = network.vpc.as_str();
        self.unmark(made, world, vpc).await?;
        let name = self.names().balancer(made.kind, made.internal, vpc);
        let (security, target_group) = tokio::try_join!(
            self.balancer_security(made, vpc, Unwanted::Stay),
            self.target_group(made, &name, vpc),
        )?;
        let (balancer, _servers) = tokio::try_join!(
            self.balancer(made, &network, &security, Unwanted::Stay),
            self.servers_security(Some(&security), vpc, Unwanted::Stay),
        )?;
        let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
        self.forwards_beside(made, world, &arn, &target_group).await?;
        self.until_active(made, &arn).await?;
        let dns_name = balancer.dns_name.unwrap_or_default();
        Ok(Stand { made, balancer: arn, dns_name, target_group, security, network })
    }

    /// Lets the listener forward to a target group, so that its health is told: without traffic, as long as servers that
    /// have it are in another one.
    async fn forwards_beside(
        self,
        made: &NewLoadBalancer,
        world: &World,
        balancer: &str,
        target_group: &str,
    ) -> Result<(), Error> {
        let alone: Forwards = [(target_group.to_owned(), 1)].into();
        let Some(listener) = self.find_listener(made, balancer).await? else {
            return self.listener(made, balancer, &alone).await;
        };
        let mut to = forwards(&listener);
        let weight = to.remove(target_group).unwrap_or(0);
        to.retain(|arn, _| world.has_servers(&self.deployment.name, arn));
        if to.is_empty() {
            return self.forward(&listener, &alone).await;
        }
        // Those that have lost their traffic stay known until open requests there have ended.
        let weight = if to.values().all(|weight| *weight == 0) { weight.max(1) } else { weight };
        to.insert(target_group.to_owned(), weight);
        self.forward(&listener, &to).await
    }

    /// What is written down of a front is what it is like: before it changes, nothing is.
    async fn unmark(self, made: &NewLoadBalancer, world: &World, vpc: &str) -> Result<(), Error> {
        let Some(group) = world.security(&self.deployment.name, BALANCER, Some(vpc)) else {
            return Ok(());
        };
        let has = tags::read(group.tags());
        let differs =
            |(name, value): &(String, String)| has.get(name).is_some_and(|has| has != value);
        let stale: Vec<Tag> = self
            .marks(made)
            .into_iter()
            .filter(differs)
            .map(|(name, _)| Tag::builder().key(name).build())
            .collect();
        if stale.is_empty() {
            return Ok(());
        }
        let call = self.aws().ec2.delete_tags().set_tags(Some(stale));
        let call = call.resources(group.group_id().unwrap_or_default());
        let done = call.send().await.map(drop);
        done.map_err(|error| self.refused(error, "tag the security group"))
    }

    fn marks(self, made: &NewLoadBalancer) -> Tags {
        let named = balancer_subnets(self.deployment, made);
        [
            ("listener", Listening::declared(made).to_string()),
            ("drain", drain(seconds(made.drain_ms))),
            ("balancer_subnets", fit(subnets(named))),
        ]
        .map(|(name, value)| (format!("{FRONT}{name}"), value))
        .into()
    }

    /// Writes down, last, what only a call for each balancer would show: where it is not so, nothing is.
    pub(super) async fn mark(self, made: &NewLoadBalancer, security: &str) -> Result<(), Error> {
        let mut all = self.names().tags(self.deployment);
        all.extend(self.marks(made));
        let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build();
        let call = self.aws().ec2.create_tags().resources(security);
        let call = call.set_tags(Some(all.iter().map(tag).collect()));
        let done =
            super::seen::once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await;
        done.map_err(|refusal| self.refused(refusal, "tag the security group"))
    }

    /// Servers that nobody hands traffic to.
    pub(super) async fn plain_security(self, unwanted: Unwanted) -> Result<(), Error> {
        if self.target().security_groups.is_empty() {
            let network = Network::of(self.aws(), &self.target().subnets, self.origin()).await?;
            self.servers_security(None, &network.vpc, unwanted).await?;
        }
        Ok(())
    }

    /// Somebody else's target group: it is there, and in the servers' network.
    pub(super) async fn named_target_group(
        self,
        arn: &str,
        unwanted: Unwanted,
    ) -> Result<(), Error> {
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
}
