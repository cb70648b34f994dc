use super::check::Check;
use super::listening::Listening;
use super::seen::once_seen;
use super::traits::seconds;
use super::works::Works;
use crate::aws::Refusal;
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, TargetGroup, TargetGroupAttribute, TargetTypeEnum,
};
use kiln::{LoadBalancerKind, NewLoadBalancer, Strategy};
use kiln_engine::Error;

/// How long open requests are given when a target is taken out: 300 s, unless told.
const DRAIN: &str = "deregistration_delay.timeout_seconds";

/// On a network load balancer: that open connections end when the drain time is over, as those of an application load
/// balancer do.
const ENDS: &str = "deregistration_delay.connection_termination.enabled";

/// On a network load balancer, whose nodes else forward within their own zone alone: a generation need not have a server
/// in each zone of the one before it.
const EVERY_ZONE: &str = "load_balancing.cross_zone.enabled";

/// How many healthy targets keep a load balancer in DNS: each target group with servers counts, also one that has no part
/// of the traffic yet.
const IN_DNS: &str = "target_group_health.dns_failover.minimum_healthy_targets.count";

/// Whether servers of a target group have traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serves {
    /// Not before all of them are healthy.
    Later,
    Now,
}

impl Works<'_> {
    /// The target group of a load balancer, made or mended: its ARN. How long one that is there already gives open
    /// requests stays as it is: see [`Works::attributes`].
    pub(super) async fn target_group(
        self,
        made: &NewLoadBalancer,
        balancer: &str,
        vpc: &str,
    ) -> Result<String, Error> {
        let told =
            |refusal: Refusal| self.refused_at(refusal, "make the target group", &made.origin);
        let name = self.target_group_name(made, balancer);
        let check = Check::declared(self.deployment, made);
        let there = self.find_target_group(&name).await.map_err(told)?;
        let Some(there) = there else {
            let arn = self.make_target_group(made, &name, vpc, &check).await.map_err(told)?;
            self.attributes(made, &arn, Serves::Later).await?;
            return Ok(arn);
        };
        let arn = there.target_group_arn().unwrap_or_default().to_owned();
        if Check::observed(&there) != check {
            self.change_check(&arn, &check).await.map_err(told)?;
        }
        Ok(arn)
    }

    /// That of its target group. Another check is another target group: servers that serve are not judged by one that
    /// they were not made for. Red/black, each generation has one of its own, so that all of the traffic moves at once, by
    /// what the listener forwards to, and none reaches a generation before all of it is healthy.
    pub(super) fn target_group_name(self, made: &NewLoadBalancer, balancer: &str) -> String {
        let check = Check::declared(self.deployment, made).to_string();
        let own = match self.deployment.strategy {
            Strategy::RedBlack { .. } => self.generation,
            Strategy::Rolling { .. } => None,
        };
        self.names().target_group(balancer, made.to, &check, own)
    }

    /// The one of this name, as far as reads show it.
    pub(super) async fn find_target_group(
        self,
        name: &str,
    ) -> Result<Option<TargetGroup>, Refusal> {
        let answer = self.aws().elb.describe_target_groups().names(name).send().await;
        match answer.map_err(Refusal::from) {
            Err(refusal) if refusal.is_not_found() => Ok(None),
            answer => Ok(answer?.target_groups.unwrap_or_default().pop()),
        }
    }

    async fn make_target_group(
        self,
        made: &NewLoadBalancer,
        name: &str,
        vpc: &str,
        check: &Check,
    ) -> Result<String, Refusal> {
        let call = self
            .aws()
            .elb
            .create_target_group()
            .name(name)
            .protocol(Listening::behind(made))
            .port(i32::from(made.to))
            .vpc_id(vpc)
            .target_type(TargetTypeEnum::Instance)
            .health_check_enabled(true)
            .health_check_protocol(check.protocol.clone())
            .health_check_port(check.port())
            .set_health_check_path(check.http.as_ref().map(|(path, _)| path.clone()))
            .set_matcher(matcher(check))
            .health_check_interval_seconds(check.interval)
            .health_check_timeout_seconds(check.timeout)
            .healthy_threshold_count(check.healthy)
            .unhealthy_threshold_count(check.unhealthy)
            .set_tags(Some(self.elb_tags()));
        let made = call.send().await?.target_groups.unwrap_or_default().pop();
        made.and_then(|made| made.target_group_arn)
            .ok_or_else(|| Refusal::of("", "it is made, but not described"))
    }

    async fn change_check(self, arn: &str, check: &Check) -> Result<(), Refusal> {
        let call = self.aws().elb.modify_target_group().target_group_arn(arn);
        let call = call
            .health_check_enabled(true)
            .health_check_protocol(check.protocol.clone())
            .health_check_port(check.port())
            .set_health_check_path(check.http.as_ref().map(|(path, _)| path.clone()))
            .set_matcher(matcher(check))
            .health_check_interval_seconds(check.interval)
            .health_check_timeout_seconds(check.timeout)
            .healthy_threshold_count(check.healthy)
            .unhealthy_threshold_count(check.unhealthy);
        call.send().await?;
        Ok(())
    }

    /// Makes how a target group forwards as declared: how long it gives open requests, and whether it keeps the load
    /// balancer in DNS.
    pub(super) async fn attributes(
        self,
        made: &NewLoadBalancer,
        arn: &str,
        serves: Serves,
    ) -> Result<(), Error> {
        let told =
            |refusal: Refusal| self.refused_at(refusal, "change the target group", &made.origin);
        let elb = &self.aws().elb;
        let call = elb.describe_target_group_attributes().target_group_arn(arn);
        let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await.map_err(told)?;
        let in_dns = if serves == Serves::Now { "1" } else { "off" };
        let mut wanted =
            vec![(DRAIN, seconds(made.drain_ms).to_string()), (IN_DNS, in_dns.to_owned())];
        if made.kind == LoadBalancerKind::Network {
            wanted.extend([ENDS, EVERY_ZONE].map(|name| (name, "true".to_owned())));
        }
        let has = |name: &str, value: &str| {
            let mut attributes = answer.attributes().iter();
            attributes.any(|one| one.key() == Some(name) && one.value() == Some(value))
        };
        if wanted.iter().all(|(name, value)| has(name, value)) {
            return Ok(());
        }
        let attribute = |(name, value): (&str, String)| {
            TargetGroupAttribute::builder().key(name).value(value).build()
        };
        let wanted = wanted.into_iter().map(attribute).collect();
        let call = elb.modify_target_group_attributes().target_group_arn(arn);
        let call = call.set_attributes(Some(wanted));
        once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await.map_err(told)
    }

    /// How long a target group gives open requests, in seconds.
    pub(super) async fn drain_of(self, arn: &str) -> Result<u64, Refusal> {
        let call = self.aws().elb.describe_target_group_attributes().target_group_arn(arn);
        let answer = call.send().await?;
        let mut attributes = answer.attributes().iter();
        let drain = attributes.find(|one| one.key() == Some(DRAIN));
        Ok(drain.and_then(|one| one.value()?.parse().ok()).unwrap_or(300))
    }
}

fn matcher(check: &Check) -> Option<Matcher> {
    let status = check.http.as_ref().map(|(_, status)| status);
    status.map(|status| Matcher::builder().http_code(status).build())
}
