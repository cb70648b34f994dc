use super::group::{describe, tag};
use super::names::ATTACHED;
use super::network::Network;
use super::seen::once_seen;
use super::traits::{balancer_subnets, seconds};
use super::works::Works;
use super::world::group_tags;
use crate::aws::Refusal;
use crate::wait::{Kind, Seen, Targets};
use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use kiln::{LoadBalancer, NewLoadBalancer};
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::collections::BTreeSet;
use std::time::Duration;

/// How much longer than declared draining may take until it is not waited for any more.
const SLACK: Duration = Duration::from_secs(30);

/// How long servers get to be healthy where a deployment does not say.
pub(super) const HEALTHY_WITHIN_MS: u64 = 300_000;

/// What servers are to be attached to.
pub(super) struct TargetGroup {
    pub(super) arn: String,
    /// The load balancers of ours that forward to it, by their ARNs.
    pub(super) balancers: Vec<String>,
}

impl Works<'_> {
    /// Lets traffic reach a generation.
    pub(super) async fn attach(self, generation: u32) -> Result<(), Error> {
        let name = self.names().group(generation);
        match self.target_group_there().await? {
            // Before: whoever dies in between leaves nothing that is attached and not judged.
            Some(arn) => match self.judged_by_balancer(&name).await {
                Ok(()) => self.attach_to(&name, &arn).await,
                refused => refused,
            },
            None => self.mark_attached(&name, true).await,
        }
        .map_err(|refusal| self.refused(refusal, "hand traffic to the servers"))
    }

    /// The target group that is declared, once reads show it; `None`: nobody hands traffic out.
    async fn target_group_there(self) -> Result<Option<String>, Error> {
        let made = match &self.deployment.load_balancer {
            None => return Ok(None),
            Some(LoadBalancer::TargetGroup { arn, .. }) => return Ok(Some(arn.clone())),
            Some(LoadBalancer::Made(made)) => made,
        };
        let name = self.name_behind(made).await?;
        let there = once_seen(&[], async || {
            let there = self.find_target_group(&name).await?.and_then(|one| one.target_group_arn);
            there
                .ok_or_else(|| Refusal::of("TargetGroupNotFound", format!("`{name}` is not there")))
        });
        let there = there.await.map_err(|refusal| self.refused(refusal, "see the target group"));
        there.map(Some)
    }

    /// The target group that is declared, as far as it is there: what is undone may have been declared otherwise.
    pub(super) async fn declared_target_group(self) -> Result<Option<TargetGroup>, Error> {
        let made = match &self.deployment.load_balancer {
            None => return Ok(None),
            Some(LoadBalancer::TargetGroup { arn, .. }) => {
                return Ok(Some(TargetGroup { arn: arn.clone(), balancers: Vec::new() }));
            }
            Some(LoadBalancer::Made(made)) => made,
        };
        let name = self.name_behind(made).await?;
        let there = self.find_target_group(&name).await;
        let there = there.map_err(|refusal| self.refused(refusal, "see the target group"))?;
        Ok(there.and_then(|one| {
            let balancers = one.load_balancer_arns.unwrap_or_default();
            Some(TargetGroup { arn: one.target_group_arn?, balancers })
        }))
    }

    async fn name_behind(self, made: &NewLoadBalancer) -> Result<String, Error> {
        let named = balancer_subnets(self.deployment, made);
        let network = Network::of(self.aws(), named, &made.origin).await?;
        let balancer = self.names().balancer(made.kind, made.internal, &network.vpc);
        Ok(self.target_group_name(made, &balancer))
    }

    pub(super) async fn attach_to(self, name: &str, arn: &str) -> Result<(), Refusal> {
        let autoscaling = &self.aws().autoscaling;
        let call = autoscaling.attach_load_balancer_target_groups();
        let call = call.auto_scaling_group_name(name).target_group_arns(arn);
        once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await
    }

    pub(super) async fn judged_by_balancer(self, name: &str) -> Result<(), Refusal> {
        // From now on a server that its balancer finds unhealthy is replaced, but not one that starts: what does not
        // get healthy within the time that is declared is to be looked at and removed, not started again and again.
        let health = self.deployment.health.as_ref();
        let (within, soak) =
            health.map_or((HEALTHY_WITHIN_MS, 0), |health| (health.within_ms, health.soak_ms));
        let grace = seconds(within.saturating_mul(2).saturating_add(soak));
        let autoscaling = &self.aws().autoscaling;
        let call = autoscaling.update_auto_scaling_group().auto_scaling_group_name(name);
        let call = call.health_check_type("ELB");
        let call = call.health_check_grace_period(i32::try_from(grace).unwrap_or(i32::MAX));
        once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await
    }

    pub(super) async fn mark_attached(self, name: &str, attached: bool) -> Result<(), Refusal> {
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
        let (group, declared) = tokio::try_join!(
            async { describe(self.aws(), &name).await.map_err(told) },
            self.declared_target_group(),
        )?;
        let Some(group) = group else { return Ok(()) };
        if group_tags(&group).contains_key(ATTACHED) {
            self.mark_attached(&name, false).await.map_err(told)?;
        }
        self.shift(&name, group.target_group_arns()).await?;
        let mut arns: BTreeSet<String> = group.target_group_arns().iter().cloned().collect();
        self.detach_from(&name, &arns).await.map_err(told)?;
        self.inner.left.leaves(&name, self.deployment);
        // One that died while this drained has detached it already.
        arns.extend(declared.map(|declared| declared.arn));
        for arn in arns {
            self.drained(&group, &arn, output).await?;
        }
        Ok(())
    }

    pub(super) async fn detach_from(
        self,
        name: &str,
        arns: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        if arns.is_empty() {
            return Ok(());
        }
        let autoscaling = &self.aws().autoscaling;
        // Before: servers that drain are not healthy to their balancer.
        self.judged_by_itself(name).await?;
        let call = autoscaling.detach_load_balancer_target_groups().auto_scaling_group_name(name);
        let call = call.set_target_group_arns(Some(arns.iter().cloned().collect()));
        match call.send().await.map_err(Refusal::from) {
            Err(refusal) if is_detached(&refusal) => Ok(()),
            done => done.map(drop),
        }
    }

    pub(super) async fn judged_by_itself(self, name: &str) -> Result<(), Refusal> {
        let call = self.aws().autoscaling.update_auto_scaling_group();
        let call = call.auto_scaling_group_name(name).health_check_type("EC2");
        Ok(call.send().await.map(drop)?)
    }

    /// Waits until no server of a group is registered any more, or the time for it is over.
    pub(super) async fn drained(
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
        let limit = match self.drain_of(arn).await {
            // Somebody has removed it, and with it whoever was in it.
            Err(refusal) if refusal.is_not_found() => return Ok(()),
            limit => Duration::from_secs(limit.map_err(told)?),
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
}

/// Whether servers are not where they were to be taken from: the same call again, after its answer was lost; or somebody
/// has removed the target group, and with it whatever was attached.
pub(super) fn is_detached(refusal: &Refusal) -> bool {
    let says = |text: &&str| refusal.message().contains(*text);
    refusal.is_not_found() || ["not part of the", "not found"].iter().any(says)
}
