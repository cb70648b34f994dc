use super::group::{describe, tag};
use super::names::ATTACHED;
use super::network::Network;
use super::seen::once_seen;
use super::traits::{balancer_subnets, seconds};
use super::works::Works;
use super::world::{World, group_tags};
use crate::aws::Refusal;
use crate::wait::{Kind, Seen, Targets};
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use kiln::LoadBalancer;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::collections::BTreeSet;
use std::time::Duration;

/// How much longer than declared draining may take until it is not waited for any more.
const SLACK: Duration = Duration::from_secs(30);

/// How long servers get to be healthy where a deployment does not say.
const HEALTHY_WITHIN_MS: u64 = 300_000;

impl Works<'_> {
    /// Lets traffic reach a generation.
    pub(super) async fn attach(self, generation: u32) -> Result<(), Error> {
        let name = self.names().group(generation);
        match self.target_group_arn().await? {
            Some(arn) => match self.attach_to(&name, &arn).await {
                Ok(()) => self.judged_by_balancer(&name).await,
                refused => refused,
            },
            None => self.mark_attached(&name, true).await,
        }
        .map_err(|refusal| self.refused(refusal, "hand traffic to the servers"))
    }

    /// The target group that is declared; `None`: nobody hands traffic out.
    async fn target_group_arn(self) -> Result<Option<String>, Error> {
        let made = match &self.deployment.load_balancer {
            None => return Ok(None),
            Some(LoadBalancer::TargetGroup { arn, .. }) => return Ok(Some(arn.clone())),
            Some(LoadBalancer::Made(made)) => made,
        };
        let named = balancer_subnets(self.deployment, made);
        let network = Network::of(self.aws(), named, &made.origin).await?;
        let balancer = self.names().balancer(made.kind, made.internal, &network.vpc);
        let name = self.names().target_group(&balancer, made.to);
        let call = self.aws().elb.describe_target_groups().names(&name);
        let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await;
        let answer = answer.map_err(|refusal| self.refused(refusal, "see the target group"))?;
        Ok(answer.target_groups.unwrap_or_default().pop().and_then(|one| one.target_group_arn))
    }

    async fn attach_to(self, name: &str, arn: &str) -> Result<(), Refusal> {
        let autoscaling = &self.aws().autoscaling;
        let call = autoscaling.attach_load_balancer_target_groups();
        let call = call.auto_scaling_group_name(name).target_group_arns(arn);
        once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await
    }

    async fn judged_by_balancer(self, name: &str) -> Result<(), Refusal> {
        // From now on a server that its balancer finds unhealthy is replaced, but not one that starts: what does not
        // get healthy within the time that is declared is to be looked at and removed, not started again and again.
        let health = self.deployment.health.as_ref();
        let (within, soak) =
            health.map_or((HEALTHY_WITHIN_MS, 0), |health| (health.within_ms, health.soak_ms));
        let grace = seconds(within.saturating_mul(2).saturating_add(soak));
        let autoscaling = &self.aws().autoscaling;
        let call = autoscaling.update_auto_scaling_group().auto_scaling_group_name(name);
        let call = call.health_check_type("ELB");
        call.health_check_grace_period(i32::try_from(grace).unwrap_or(i32::MAX)).send().await?;
        Ok(())
    }

    async fn mark_attached(self, name: &str, attached: bool) -> Result<(), Refusal> {
        let mark = tag(name, ATTACHED, "yes", false);
        let autoscaling = &self.aws().autoscaling;
        if attached {
            let call = autoscaling.create_or_update_tags().tags(mark);
            once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await
        } else {
            Ok(autoscaling.delete_tags().tags(mark).send().await.map(drop)?)
        }
    }

    /// Takes the traffic from a generation, and waits until open requests have ended.
    pub(super) async fn detach(self, generation: u32, output: Output<'_>) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "take the traffic from the servers");
        let name = self.names().group(generation);
        let Some(group) = describe(self.aws(), &name).await.map_err(told)? else { return Ok(()) };
        if group_tags(&group).contains_key(ATTACHED) {
            self.mark_attached(&name, false).await.map_err(told)?;
        }
        let mut arns: BTreeSet<String> = group.target_group_arns().iter().cloned().collect();
        self.detach_from(&name, &arns).await.map_err(told)?;
        // One that died while this drained has detached it already.
        arns.extend(self.target_group_arn().await?);
        for arn in arns {
            self.drained(&group, &arn, output).await?;
        }
        Ok(())
    }

    async fn detach_from(self, name: &str, arns: &BTreeSet<String>) -> Result<(), Refusal> {
        if arns.is_empty() {
            return Ok(());
        }
        let autoscaling = &self.aws().autoscaling;
        // Before: servers that drain are not healthy to their balancer.
        self.judged_by_itself(name).await?;
        let call = autoscaling.detach_load_balancer_target_groups().auto_scaling_group_name(name);
        call.set_target_group_arns(Some(arns.iter().cloned().collect())).send().await?;
        Ok(())
    }

    async fn judged_by_itself(self, name: &str) -> Result<(), Refusal> {
        let call = self.aws().autoscaling.update_auto_scaling_group();
        let call = call.auto_scaling_group_name(name).health_check_type("EC2");
        Ok(call.send().await.map(drop)?)
    }

    /// Waits until no server of a group is registered any more, or the time for it is over.
    async fn drained(
        self,
        group: &AutoScalingGroup,
        arn: &str,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let ids: BTreeSet<&str> =
            group.instances().iter().filter_map(|one| one.instance_id()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let told = |refusal: Refusal| self.refused(refusal, "see whether servers have drained");
        let limit = match &self.deployment.load_balancer {
            Some(LoadBalancer::Made(made)) => Duration::from_millis(made.drain_ms),
            _ => Duration::from_secs(self.drain_of(arn).await.map_err(told)?),
        };
        let left = |targets: &Targets| {
            let is_left =
                |(id, health): &(&String, &aws_sdk_elasticloadbalancingv2::types::TargetHealth)| {
                    ids.contains(id.as_str())
                        && health.state() != Some(&TargetHealthStateEnum::Unused)
                };
            targets.iter().filter(is_left).count()
        };
        let mut follower = self.inner.poller.follow(Kind::Targets, arn).of_known();
        let over = tokio::time::sleep(limit + SLACK);
        tokio::pin!(over);
        let mut said = None;
        loop {
            let seen = tokio::select! {
                biased;
                () = &mut over => {
                    output("the time for open requests is over, they are not waited for any more");
                    return Ok(());
                }
                seen = follower.next() => seen.map_err(told)?,
            };
            let Seen::Targets(targets) = seen else { return Ok(()) };
            match left(&targets) {
                0 => return Ok(()),
                number if said != Some(number) => {
                    output(&format!("{number} servers end their open requests"));
                    said = Some(number);
                }
                _ => {}
            }
        }
    }

    /// Where the front has changed so that servers with traffic must be attached elsewhere: does it, and waits until they
    /// are healthy there. They stay where they were, too: see `leave`.
    pub(super) async fn join(
        self,
        world: &World,
        wanted: Option<&str>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "hand traffic to the servers");
        for group in world.groups_of(&self.deployment.name) {
            let name = group.auto_scaling_group_name().unwrap_or_default();
            let is_in = |arn| group.target_group_arns().iter().any(|one| one == arn);
            let is_marked = group_tags(group).contains_key(ATTACHED);
            let serves = is_marked || !group.target_group_arns().is_empty();
            match wanted {
                Some(arn) if serves && !is_in(arn) => {
                    output(&format!("`{name}` moves to another target group"));
                    // What serves is not replaced because it does not answer there yet.
                    self.judged_by_itself(name).await.map_err(told)?;
                    self.attach_to(name, arn).await.map_err(told)?;
                    if let Err(error) = self.healthy_in(group, arn).await {
                        let to = BTreeSet::from([arn.to_owned()]);
                        self.detach_from(name, &to).await.map_err(told)?;
                        if !group.target_group_arns().is_empty() {
                            self.judged_by_balancer(name).await.map_err(told)?;
                        }
                        return Err(error);
                    }
                }
                None if serves && !is_marked => {
                    self.mark_attached(name, true).await.map_err(told)?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes servers from where they had traffic before.
    pub(super) async fn leave(self, world: &World, wanted: Option<&str>) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "hand traffic to the servers");
        for group in world.groups_of(&self.deployment.name) {
            let name = group.auto_scaling_group_name().unwrap_or_default();
            if wanted.is_some() && group_tags(group).contains_key(ATTACHED) {
                self.mark_attached(name, false).await.map_err(told)?;
            }
            let has_moved = wanted.is_some_and(|arn| {
                let serves = group_tags(group).contains_key(ATTACHED);
                (serves || !group.target_group_arns().is_empty())
                    && !group.target_group_arns().iter().any(|one| one == arn)
            });
            let mut old = group.target_group_arns().to_vec();
            old.retain(|arn| Some(arn.as_str()) != wanted);
            if !old.is_empty() {
                let autoscaling = &self.aws().autoscaling;
                let call = autoscaling.detach_load_balancer_target_groups();
                let call = call.auto_scaling_group_name(name).set_target_group_arns(Some(old));
                match call.send().await.map_err(Refusal::from) {
                    // Somebody has removed it, and with it whatever was attached.
                    Err(refusal) if is_gone(&refusal) => {}
                    done => done.map(drop).map_err(told)?,
                }
            }
            if has_moved {
                self.judged_by_balancer(name).await.map_err(told)?;
            }
        }
        Ok(())
    }

    async fn healthy_in(self, group: &AutoScalingGroup, arn: &str) -> Result<(), Error> {
        let serving = group
            .instances()
            .iter()
            .filter(|one| one.lifecycle_state() == Some(&LifecycleState::InService));
        let ids: Vec<&str> = serving.filter_map(|one| one.instance_id()).collect();
        let within = self.deployment.health.as_ref().map_or(HEALTHY_WITHIN_MS, |one| one.within_ms);
        let mut follower = self.inner.poller.follow(Kind::Targets, arn);
        let healthy = async {
            loop {
                let Seen::Targets(targets) = follower.next().await? else { continue };
                let is_healthy = |id: &&str| {
                    let state = targets.get(*id).and_then(|health| health.state());
                    matches!(
                        state,
                        Some(TargetHealthStateEnum::Healthy | TargetHealthStateEnum::Unavailable)
                    )
                };
                if ids.iter().all(is_healthy) {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            biased;
            () = self.inner.poller.interruption() => Err(Error::interrupted()),
            seen = healthy => seen.map_err(|refusal: Refusal| self.refused(refusal, "see the health")),
            () = tokio::time::sleep(Duration::from_millis(within)) => Err(Error::input(
                "the servers that run are not healthy behind the new load balancer",
            )
            .help("deploy servers that answer there first, then change the load balancer")
            .at(self.origin())),
        }
    }
}

fn is_gone(refusal: &Refusal) -> bool {
    refusal.is_not_found() || refusal.message().contains("not found")
}
