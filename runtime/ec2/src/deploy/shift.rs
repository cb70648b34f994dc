use super::listener::{Forwards, forwards};
use super::seen::once_seen;
use super::works::Works;
use super::world::World;
use crate::aws::Refusal;
use aws_sdk_elasticloadbalancingv2::types::{Listener, ProtocolEnum, TargetHealthStateEnum};
use kiln::{LoadBalancer, LoadBalancerKind};
use kiln_engine::Error;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a load balancer is given until all parts of it forward as it was told. Of one for applications AWS says that it
/// is quick, and not how quick; a part that still forwards to servers that have left answers 503. One for networks takes
/// minutes: ECS, which knows both, counts with ten
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/nlb-resources-for-blue-green.html>), and people have seen
/// more than one.
fn known_after(kind: LoadBalancerKind) -> Duration {
    match kind {
        LoadBalancerKind::Application => Duration::from_secs(10),
        LoadBalancerKind::Network => Duration::from_secs(120),
    }
}

/// A load balancer takes no greater weights.
const GREATEST: i32 = 999;

impl Works<'_> {
    /// Gives each target group that the load balancer forwards to its part of the traffic: by its healthy servers. Whether
    /// all servers with traffic have it from there.
    pub(super) async fn share(self) -> Result<bool, Error> {
        let world = self.world().await?;
        let mut reached = BTreeSet::new();
        if let Some(declared) = self.declared_target_group().await? {
            if let Some(LoadBalancer::Made(made)) = &self.deployment.load_balancer {
                for balancer in &declared.balancers {
                    let Some(listener) = self.find_listener(made, balancer).await? else {
                        continue;
                    };
                    let to = shared(forwards(&listener), &world);
                    self.forward(&listener, &to).await?;
                    reached.extend(to.into_keys());
                }
            }
            reached.insert(declared.arn);
        }
        let is_there = |arn: &String| reached.contains(arn);
        let mut serving = world.serving(&self.deployment.name).map(|one| one.target_group_arns());
        // Where nobody hands traffic out, nobody stands between.
        Ok(serving.all(|arns| arns.is_empty() == reached.is_empty() && arns.iter().all(is_there)))
    }

    /// Lets the deployment's own load balancers hand a generation's part of the traffic to the others, where those are in
    /// other target groups; whatever is declared now.
    pub(super) async fn shift(self, group: &str, own: &[String]) -> Result<(), Error> {
        let beginning = self.names().short();
        let is_ours =
            |arn: &&String| arn.split('/').nth(1).is_some_and(|name| name.starts_with(&beginning));
        let own: Vec<String> = own.iter().filter(is_ours).cloned().collect();
        for listener in self.listeners_to(&own).await? {
            let before = forwards(&listener);
            if before.len() < 2 {
                continue;
            }
            let world = self.world().await?;
            let others = world.serving(&self.deployment.name);
            let others = others.filter(|one| one.auto_scaling_group_name() != Some(group));
            let others: BTreeSet<&str> =
                others.flat_map(|one| one.target_group_arns()).map(String::as_str).collect();
            let to = without(before.clone(), &others);
            if to != before {
                self.forward(&listener, &to).await?;
                let kind = match listener.protocol() {
                    Some(ProtocolEnum::Http | ProtocolEnum::Https) => LoadBalancerKind::Application,
                    _ => LoadBalancerKind::Network,
                };
                self.until_known(kind).await;
            }
        }
        Ok(())
    }

    /// Waits until a load balancer forwards as it was told.
    pub(super) async fn until_known(self, kind: LoadBalancerKind) {
        tokio::time::sleep(known_after(kind)).await;
    }

    /// The listeners that forward to target groups. One that is gone has none.
    async fn listeners_to(self, arns: &[String]) -> Result<Vec<Listener>, Error> {
        let told = |refusal: Refusal| self.refused(refusal, "see the listener");
        let mut all = Vec::new();
        for balancer in self.balancers_before(arns).await? {
            let call = self.aws().elb.describe_listeners().load_balancer_arn(balancer);
            let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await;
            let found = answer.map_err(told)?.listeners.unwrap_or_default().into_iter();
            let is_it = |one: &Listener| forwards(one).keys().any(|arn| arns.contains(arn));
            all.extend(found.filter(is_it));
        }
        Ok(all)
    }

    /// The load balancers of target groups.
    async fn balancers_before(self, arns: &[String]) -> Result<BTreeSet<String>, Error> {
        let mut all = BTreeSet::new();
        for arn in arns {
            let call = self.aws().elb.describe_target_groups().target_group_arns(arn).send().await;
            match call.map_err(Refusal::from) {
                Err(refusal) if refusal.is_not_found() => {}
                answer => {
                    let answer =
                        answer.map_err(|refusal| self.refused(refusal, "see the target group"))?;
                    let groups = answer.target_groups.unwrap_or_default();
                    all.extend(
                        groups
                            .into_iter()
                            .flat_map(|one| one.load_balancer_arns.unwrap_or_default()),
                    );
                }
            }
        }
        Ok(all)
    }
}

/// By healthy servers; as it was, where nobody has any, or there is nobody to share with.
fn shared(before: Forwards, world: &World) -> Forwards {
    if before.len() < 2 {
        return before;
    }
    let healthy = |arn: &str| {
        let targets = world.targets.get(arn).into_iter().flatten();
        let is_healthy =
            |(_, health): &(&String, &aws_sdk_elasticloadbalancingv2::types::TargetHealth)| {
                health.state() == Some(&TargetHealthStateEnum::Healthy)
            };
        i32::try_from(targets.filter(is_healthy).count()).unwrap_or(GREATEST).min(GREATEST)
    };
    let weight = |arn: &String| (arn.clone(), healthy(arn));
    let to: Forwards = before.keys().map(weight).collect();
    if to.values().all(|weight| *weight == 0) { before } else { to }
}

/// All to those that others are in; as it was, where nobody else is in any.
fn without(before: Forwards, others: &BTreeSet<&str>) -> Forwards {
    if !before.keys().any(|arn| others.contains(arn.as_str())) {
        return before;
    }
    let weight = |(arn, weight): (String, i32)| {
        let weight = if others.contains(arn.as_str()) { weight.max(1) } else { 0 };
        (arn, weight)
    };
    before.into_iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Targets;
    use aws_sdk_elasticloadbalancingv2::types::TargetHealth;

    fn to(pairs: &[(&str, i32)]) -> Forwards {
        pairs.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect()
    }

    fn targets(states: &[TargetHealthStateEnum]) -> Targets {
        let health =
            |state: &TargetHealthStateEnum| TargetHealth::builder().state(state.clone()).build();
        states.iter().enumerate().map(|(n, state)| (format!("i-{n}"), health(state))).collect()
    }

    #[test]
    fn traffic_is_shared_by_healthy_servers() {
        use TargetHealthStateEnum::{Healthy, Initial, Unhealthy};
        let mut world = World::default();
        world.targets.insert("old".into(), targets(&[Healthy, Healthy, Unhealthy]));
        world.targets.insert("new".into(), targets(&[Healthy, Initial]));
        assert_eq!(shared(to(&[("new", 0), ("old", 1)]), &world), to(&[("new", 1), ("old", 2)]));
        // Nobody is to get all of it because nobody is healthy.
        world.targets.clear();
        assert_eq!(shared(to(&[("new", 0), ("old", 1)]), &world), to(&[("new", 0), ("old", 1)]));
    }

    #[test]
    fn who_leaves_hands_its_traffic_to_the_others() {
        let before = || to(&[("new", 0), ("old", 1)]);
        assert_eq!(without(before(), &["new"].into()), to(&[("new", 1), ("old", 0)]));
        assert_eq!(without(before(), &["old"].into()), before());
        assert_eq!(without(before(), &["new", "old"].into()), to(&[("new", 1), ("old", 1)]));
        // The last one has nobody to hand it to.
        assert_eq!(without(before(), &[].into()), before());
    }
}
