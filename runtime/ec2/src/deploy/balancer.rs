use super::listening::Listening;
use super::names::{is_declared, word};
use super::network::Network;
use super::seen::once_seen;
use super::traits::balancer_subnets;
use super::works::Works;
use crate::aws::Refusal;
use crate::aws::tags::{self, Tags};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, ForwardActionConfig, Listener, LoadBalancer,
    LoadBalancerSchemeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum, Tag, TargetGroupTuple,
};
use kiln::NewLoadBalancer;
use kiln_engine::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long AWS may take to make a load balancer, and the longest pause between two looks.
const ACTIVE_WITHIN: Duration = Duration::from_secs(15 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a listener forwards to: target groups, each with its weight. One that has none has no traffic, but its health is
/// told, which it is not of one that nothing forwards to.
pub(super) type Forwards = BTreeMap<String, i32>;

impl Works<'_> {
    /// The load balancer, made or mended.
    pub(super) async fn balancer(
        self,
        made: &NewLoadBalancer,
        network: &Network,
        security: &str,
    ) -> Result<LoadBalancer, Error> {
        let told =
            |refusal: Refusal| self.refused_at(refusal, "make the load balancer", &made.origin);
        let name = self.names().balancer(made.kind, made.internal, &network.vpc);
        let subnets = network.ids();
        let Some(there) = self.find_balancer(&name).await.map_err(told)? else {
            let scheme = match made.internal {
                true => LoadBalancerSchemeEnum::Internal,
                false => LoadBalancerSchemeEnum::InternetFacing,
            };
            let call = self.aws().elb.create_load_balancer().name(&name).scheme(scheme);
            let call = call.r#type(LoadBalancerTypeEnum::from(word(made.kind)));
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
        let zones = there.availability_zones().iter();
        let has: BTreeSet<&str> = zones.filter_map(|zone| zone.subnet_id()).collect();
        if has != subnets.iter().map(String::as_str).collect() {
            let call = self.aws().elb.set_subnets().load_balancer_arn(arn);
            let call = call.set_subnets(Some(subnets)).send().await;
            call.map_err(|error| told(error.into()))?;
        }
        if there.security_groups() != [security] {
            let call = self.aws().elb.set_security_groups().load_balancer_arn(arn);
            let call = call.security_groups(security).send().await;
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

    /// Its one listener, made or mended: forwards to target groups, by weight.
    pub(super) async fn listener(
        self,
        made: &NewLoadBalancer,
        balancer: &str,
        to: &Forwards,
    ) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused_at(refusal, "make the listener", &made.origin);
        let wanted = Listening::declared(made);
        let elb = &self.aws().elb;
        let call = elb.describe_listeners().load_balancer_arn(balancer);
        // One that was just made is not visible to this call either.
        let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await;
        let there = answer.map_err(told)?.listeners.unwrap_or_default();
        let action = action(to);
        let certificate = wanted.certificate.as_ref();
        let certificates =
            || certificate.map(|arn| vec![Certificate::builder().certificate_arn(arn).build()]);
        let named: Vec<String> = certificate.cloned().into_iter().collect();
        let on_port = |one: &&Listener| one.port() == Some(i32::from(wanted.port));
        let Some(listener) = there.iter().find(on_port).or(there.first()) else {
            let call = elb.create_listener().load_balancer_arn(balancer).protocol(wanted.protocol);
            let call = call.port(i32::from(wanted.port)).default_actions(action);
            let call = call.set_certificates(certificates()).set_tags(Some(self.elb_tags()));
            return match once_seen(&named, async || Ok(call.clone().send().await.map(drop)?)).await
            {
                // The same call again, after its answer was lost.
                Err(refusal) if refusal.code() == "DuplicateListener" => Ok(()),
                made => made.map_err(told),
            };
        };
        let has = Listening {
            protocol: listener.protocol().unwrap_or(&wanted.protocol).clone(),
            port: u16::try_from(listener.port().unwrap_or_default()).unwrap_or_default(),
            certificate: listener
                .certificates()
                .first()
                .and_then(|one| one.certificate_arn.clone()),
        };
        if has != wanted || forwards(listener) != *to {
            let arn = listener.listener_arn().unwrap_or_default();
            let call = elb.modify_listener().listener_arn(arn).port(i32::from(wanted.port));
            let call = call.protocol(wanted.protocol).default_actions(action);
            let call = call.set_certificates(certificates());
            let done = once_seen(&named, async || Ok(call.clone().send().await.map(drop)?)).await;
            done.map_err(told)?;
        }
        Ok(())
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

fn action(to: &Forwards) -> Action {
    let action = Action::builder().r#type(ActionTypeEnum::Forward);
    if let [arn] = to.keys().collect::<Vec<_>>()[..] {
        return action.target_group_arn(arn).build();
    }
    let group = |(arn, weight): (&String, &i32)| {
        TargetGroupTuple::builder().target_group_arn(arn).weight(*weight).build()
    };
    let groups = to.iter().map(group).collect();
    let config = ForwardActionConfig::builder().set_target_groups(Some(groups)).build();
    action.forward_config(config).build()
}

fn forwards(listener: &Listener) -> Forwards {
    let mut all = Forwards::new();
    for action in listener.default_actions() {
        let groups = action.forward_config().map_or(&[][..], |config| config.target_groups());
        for group in groups {
            let arn = group.target_group_arn().unwrap_or_default();
            all.insert(arn.to_owned(), group.weight().unwrap_or(1));
        }
        if let (true, Some(arn)) = (groups.is_empty(), action.target_group_arn()) {
            all.insert(arn.to_owned(), 1);
        }
    }
    // The weight of the only one does not matter.
    if let (1, Some(weight)) = (all.len(), all.values_mut().next()) {
        *weight = 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_forwards_to_survives_the_way_there_and_back() {
        let to = |pairs: &[(&str, i32)]| -> Forwards {
            pairs.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect()
        };
        for wanted in [to(&[("arn:a", 1)]), to(&[("arn:a", 0), ("arn:b", 1)])] {
            let listener = Listener::builder().default_actions(action(&wanted)).build();
            assert_eq!(forwards(&listener), wanted);
        }
    }
}
