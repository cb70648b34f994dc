use super::names::ATTACHED;
use super::traffic::{HEALTHY_WITHIN_MS, is_detached};
use super::works::Works;
use super::world::{World, group_tags};
use crate::aws::Refusal;
use crate::wait::{Kind, Seen, Targets};
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::collections::BTreeSet;
use std::time::Duration;

impl Works<'_> {
    /// Where the front has changed so that servers with traffic must be attached elsewhere: does it, and waits until they
    /// are healthy there. They stay where they were, too: see `leave`.
    pub(super) async fn join(
        self,
        world: &World,
        wanted: Option<&str>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "hand traffic to the servers");
        for group in world.serving(&self.deployment.name) {
            let name = group.auto_scaling_group_name().unwrap_or_default();
            match wanted {
                Some(arn) if group.target_group_arns() != [arn] => {
                    output(&format!("`{name}` moves to another target group"));
                    // What serves is not replaced because it does not answer there yet.
                    self.judged_by_itself(name).await.map_err(told)?;
                    self.attach_to(name, arn).await.map_err(told)?;
                    if let Err(error) = self.healthy_in(group, world, arn).await {
                        let to = BTreeSet::from([arn.to_owned()]);
                        self.detach_from(name, &to).await.map_err(told)?;
                        if group.target_group_arns().iter().any(|one| one != arn) {
                            self.judged_by_balancer(name).await.map_err(told)?;
                        }
                        return Err(error);
                    }
                }
                None if !group_tags(group).contains_key(ATTACHED) => {
                    self.mark_attached(name, true).await.map_err(told)?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes servers from where they had traffic before, and waits until open requests there have ended.
    pub(super) async fn leave(
        self,
        world: &World,
        wanted: Option<&str>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused(refusal, "hand traffic to the servers");
        let old = |group: &AutoScalingGroup| {
            let mut old = group.target_group_arns().to_vec();
            old.retain(|arn| Some(arn.as_str()) != wanted);
            old
        };
        for group in world.serving(&self.deployment.name) {
            let name = group.auto_scaling_group_name().unwrap_or_default();
            if wanted.is_some() && group_tags(group).contains_key(ATTACHED) {
                self.mark_attached(name, false).await.map_err(told)?;
            }
            let old = old(group);
            if !old.is_empty() {
                // Before: servers that drain are not healthy to their balancer.
                self.judged_by_itself(name).await.map_err(told)?;
                let autoscaling = &self.aws().autoscaling;
                let call = autoscaling.detach_load_balancer_target_groups();
                let call = call.auto_scaling_group_name(name).set_target_group_arns(Some(old));
                match call.send().await.map_err(Refusal::from) {
                    Err(refusal) if is_detached(&refusal) => {}
                    done => done.map(drop).map_err(told)?,
                }
            }
        }
        for group in world.serving(&self.deployment.name) {
            let name = group.auto_scaling_group_name().unwrap_or_default();
            for arn in old(group) {
                self.drained(group, &arn, output).await?;
            }
            let is_in = |arn| group.target_group_arns() == [arn];
            if wanted.is_some_and(|arn| !is_in(arn) || group.health_check_type() != Some("ELB")) {
                self.judged_by_balancer(name).await.map_err(told)?;
            }
        }
        Ok(())
    }

    /// Waits until those servers of a group are healthy in a target group that serve now.
    async fn healthy_in(
        self,
        group: &AutoScalingGroup,
        world: &World,
        arn: &str,
    ) -> Result<(), Error> {
        let old = group.target_group_arns().iter().filter(|one| *one != arn);
        let old: Vec<&Targets> = old.filter_map(|arn| world.targets.get(arn)).collect();
        let serves = |id: &&str| {
            let mut states = old.iter().filter_map(|targets| targets.get(*id)?.state());
            old.is_empty() || states.any(|state| *state == TargetHealthStateEnum::Healthy)
        };
        let members = group.instances().iter();
        let ids = members
            .filter(|one| one.lifecycle_state() == Some(&LifecycleState::InService))
            .filter_map(|one| one.instance_id());
        let ids: Vec<&str> = ids.filter(serves).collect();
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
                "the servers that run do not get healthy in the target group that is declared now",
            )
            .help("deploy servers that pass the check together with it, or declare what they were deployed with")
            .at(self.origin())),
        }
    }
}
