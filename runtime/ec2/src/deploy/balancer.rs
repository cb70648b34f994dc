use super::names::{is_declared, word};
use super::network::Network;
use super::security::Unwanted;
use super::seen::once_seen;
use super::traits::balancer_subnets;
use super::works::Works;
use crate::aws::Refusal;
use crate::aws::tags::{self, Tags};
use aws_sdk_elasticloadbalancingv2::types::{
    AvailabilityZone, LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerStateEnum,
    LoadBalancerTypeEnum, Tag,
};
use kiln::{LoadBalancerKind, NewLoadBalancer};
use kiln_engine::Error;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long AWS may take to make a load balancer, and the longest pause between two looks.
const ACTIVE_WITHIN: Duration = Duration::from_secs(15 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Works<'_> {
    /// The load balancer, made or mended: in the zones of a network, with its security group.
    pub(super) async fn balancer(
        self,
        made: &NewLoadBalancer,
        network: &Network,
        security: &str,
        unwanted: Unwanted,
    ) -> Result<LoadBalancer, Error> {
        let told =
            |refusal: Refusal| self.refused_at(refusal, "make the load balancer", &made.origin);
        let name = self.names().balancer(made.kind, made.internal, &network.vpc);
        let Some(there) = self.find_balancer(&name).await.map_err(told)? else {
            let scheme = match made.internal {
                true => LoadBalancerSchemeEnum::Internal,
                false => LoadBalancerSchemeEnum::InternetFacing,
            };
            let call = self.aws().elb.create_load_balancer().name(&name).scheme(scheme);
            let call = call.r#type(LoadBalancerTypeEnum::from(word(made.kind)));
            let subnets = one_of_each_zone(network).into_values().cloned().collect();
            let call = call.set_subnets(Some(subnets)).security_groups(security);
            let call = call.set_tags(Some(self.elb_tags()));
            let named = balancer_subnets(self.deployment, made);
            let answer = once_seen(named, async || Ok(call.clone().send().await?)).await;
            let there = answer.map_err(told)?.load_balancers.unwrap_or_default().pop();
            return there.ok_or_else(|| told(Refusal::of("", "it is made, but not described")));
        };
        let told =
            |refusal: Refusal| self.refused_at(refusal, "change the load balancer", &made.origin);
        let arn = there.load_balancer_arn().unwrap_or_default();
        let has = zones(&there);
        if let (LoadBalancerKind::Network, Some((zone, subnet))) = (made.kind, taken(&has, network))
        {
            let message = format!(
                "a network load balancer that stands in `{subnet}` cannot go to another subnet of {zone}"
            );
            let error = Error::input(message).at(&made.origin);
            return Err(error.help(format!(
                "name `{subnet}`; or deploy once without a subnet of {zone}, and then with the other"
            )));
        }
        let wanted = match unwanted {
            Unwanted::Go => one_of_each_zone(network),
            Unwanted::Stay => with(&has, network),
        };
        if has.iter().ne(wanted.iter().map(|(zone, id)| (*zone, *id))) {
            let call = self.aws().elb.set_subnets().load_balancer_arn(arn);
            let subnets = wanted.into_values().cloned().collect();
            let call = call.set_subnets(Some(subnets)).send().await;
            call.map_err(|error| told(error.into()))?;
        }
        let has = there.security_groups();
        let lacks = !has.iter().any(|id| id == security);
        if lacks || unwanted == Unwanted::Go && has.len() > 1 {
            let call = self.aws().elb.set_security_groups().load_balancer_arn(arn);
            let stay = has.iter().filter(|_| unwanted == Unwanted::Stay);
            let all = stay.cloned().chain([security.to_owned()]).collect();
            let call = call.set_security_groups(Some(all)).send().await;
            call.map_err(|error| told(error.into()))?;
        }
        Ok(there)
    }

    /// Waits until a load balancer forwards: some minutes after it was made, in which no server can be healthy behind it.
    pub(super) async fn until_active(self, made: &NewLoadBalancer, arn: &str) -> Result<(), Error> {
        let told =
            |refusal: Refusal| self.refused_at(refusal, "see the load balancer", &made.origin);
        let begun = Instant::now();
        let mut pause = Duration::from_millis(200);
        loop {
            let call = self.aws().elb.describe_load_balancers().load_balancer_arns(arn);
            let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await;
            let there = answer.map_err(told)?.load_balancers.unwrap_or_default().pop();
            let state = there.as_ref().and_then(|one| one.state());
            match state.and_then(|state| state.code()) {
                Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => {
                    return Ok(());
                }
                Some(LoadBalancerStateEnum::Failed) => {
                    let why = state.and_then(|state| state.reason()).unwrap_or_default();
                    return Err(told(Refusal::of("", format!("it could not be made: {why}"))));
                }
                _ if begun.elapsed() > ACTIVE_WITHIN => {
                    return Err(told(Refusal::of("", "it is still being made")));
                }
                _ => {}
            }
            tokio::select! {
                biased;
                () = self.inner.poller.interruption() => return Err(Error::interrupted()),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    async fn find_balancer(self, name: &str) -> Result<Option<LoadBalancer>, Refusal> {
        let answer = self.aws().elb.describe_load_balancers().names(name).send().await;
        match answer.map_err(Refusal::from) {
            Err(refusal) if refusal.is_not_found() => Ok(None),
            answer => Ok(answer?.load_balancers.unwrap_or_default().pop()),
        }
    }

    /// Tags as load balancers take them, which is fewer letters than elsewhere.
    pub(super) fn elb_tags(self) -> Vec<Tag> {
        let all = self.names().tags(self.deployment);
        let tag = |(name, value): (String, String)| {
            Tag::builder().key(name).value(tags::value(&value)).build()
        };
        all.into_iter().map(tag).collect()
    }

    /// Makes the tags of load balancers and target groups as declared.
    ///
    /// # Errors
    /// When one bears the tags of somebody else's.
    pub(super) async fn elb_retag(self, arns: &[String]) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "see the tags of the load balancer");
        let elb = &self.aws().elb;
        let call = elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
        let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await.map_err(told)?;
        let wanted = self.elb_tags();
        for one in answer.tag_descriptions.unwrap_or_default() {
            let arn = one.resource_arn().unwrap_or_default();
            let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
            let has: Tags = one.tags().iter().filter_map(pair).collect();
            let own = self.names().own_tags();
            // Reads may not show the tags of what was just made.
            if !has.is_empty() && !own.iter().all(|(name, value)| has.get(name) == Some(value)) {
                return Err(self.foreign("a load balancer or target group", arn));
            }
            let wanted_all: Tags = wanted.iter().filter_map(pair).collect();
            let extra: Vec<String> = has
                .keys()
                .filter(|name| is_declared(name) && !wanted_all.contains_key(*name))
                .cloned()
                .collect();
            if wanted_all.iter().any(|(name, value)| has.get(name) != Some(value)) {
                let call = elb.add_tags().resource_arns(arn).set_tags(Some(wanted.clone()));
                call.send().await.map_err(|error| told(error.into()))?;
            }
            if !extra.is_empty() {
                let call = elb.remove_tags().resource_arns(arn).set_tag_keys(Some(extra));
                call.send().await.map_err(|error| told(error.into()))?;
            }
        }
        Ok(())
    }
}

/// The subnet of each zone that a load balancer is in.
fn zones(balancer: &LoadBalancer) -> BTreeMap<String, String> {
    let zones = balancer.availability_zones().iter();
    let pair = |zone: &AvailabilityZone| {
        Some((zone.zone_name()?.to_owned(), zone.subnet_id()?.to_owned()))
    };
    zones.filter_map(pair).collect()
}

/// What a load balancer takes of a network.
fn one_of_each_zone(network: &Network) -> BTreeMap<&String, &String> {
    network.subnets.iter().map(|(id, zone)| (zone, id)).collect()
}

/// A zone, and the subnet there, of a load balancer that is to be in another subnet of that zone.
fn taken<'a>(
    has: &'a BTreeMap<String, String>,
    network: &Network,
) -> Option<(&'a String, &'a String)> {
    let wanted = one_of_each_zone(network);
    has.iter().find(|(zone, subnet)| wanted.get(zone).is_some_and(|other| other != subnet))
}

/// Those that a load balancer has, and those of a network in other zones.
fn with<'a>(
    has: &'a BTreeMap<String, String>,
    network: &'a Network,
) -> BTreeMap<&'a String, &'a String> {
    one_of_each_zone(network).into_iter().chain(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balancer_keeps_the_zones_of_what_serves_until_it_has_moved() {
        let pair = |zone: &str, id: &str| (zone.to_owned(), id.to_owned());
        let has = BTreeMap::from([pair("a", "subnet-1"), pair("b", "subnet-2")]);
        let subnets = vec![pair("subnet-3", "b"), pair("subnet-4", "c")];
        let network = Network { vpc: "vpc-1".into(), subnets };
        let all: Vec<&str> = with(&has, &network).into_values().map(String::as_str).collect();
        assert_eq!(all, ["subnet-1", "subnet-2", "subnet-4"]);
        assert_eq!(taken(&has, &network), has.iter().nth(1));
        assert_eq!(taken(&BTreeMap::from([pair("a", "subnet-1")]), &network), None);
    }
}
