use super::names::{ATTACHED, BALANCER, DEPLOYMENT, Names, ROLE};
use crate::aws::tags::{self, PROJECT, Tags};
use crate::aws::{Aws, Refusal, filter};
use crate::wait::{Targets, target_health};
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter as GroupFilter, LifecycleState};
use aws_sdk_ec2::types::{Filter, Instance, SecurityGroup};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// How many groups one answer holds at most.
const GROUPS: i32 = 100;
/// How many load balancers, or target groups, one answer holds at most.
const BALANCERS: i32 = 400;

/// How long after the time that Auto Scaling gives new servers it has surely looked at them.
const LOOKED_AT: Duration = Duration::from_secs(60);

/// What runs of a project, or of one deployment of it: a call of each kind and page, and one for each target group whose
/// servers Auto Scaling does not judge, or not yet. Of what does not bear our tags only target groups are looked at, which
/// ours are attached to.
#[derive(Debug, Default)]
pub(super) struct World {
    /// By deployment: those that nobody has begun to delete.
    pub(super) groups: BTreeMap<String, Vec<AutoScalingGroup>>,
    /// By id: those that are not terminated.
    pub(super) instances: BTreeMap<String, Instance>,
    /// By deployment, and what it is for.
    pub(super) securities: BTreeMap<(String, String), Vec<SecurityGroup>>,
    /// By name: all of the region.
    balancers: BTreeMap<String, LoadBalancer>,
    /// By name: all of the region.
    target_groups: BTreeMap<String, TargetGroup>,
    /// By target group: those that were asked.
    pub(super) targets: BTreeMap<String, Targets>,
}

impl World {
    pub(super) async fn read(
        aws: &Aws,
        project: &str,
        deployment: Option<&str>,
    ) -> Result<Self, Refusal> {
        let ours = || match deployment {
            Some(name) => vec![
                filter(format!("tag:{PROJECT}"), [project]),
                filter(format!("tag:{DEPLOYMENT}"), [tags::value(name)]),
            ],
            None => vec![
                filter(format!("tag:{PROJECT}"), [project]),
                // What bakes make bears the project's tag too.
                filter("tag-key", [DEPLOYMENT]),
            ],
        };
        let (groups, instances, securities) = tokio::try_join!(
            groups(aws, project, deployment),
            instances(aws, ours()),
            securities(aws, ours()),
        )?;
        let mut world = Self { groups, instances, securities, ..Self::default() };
        let groups = world.groups.values().flatten();
        let attached: BTreeSet<String> =
            groups.flat_map(|group| group.target_group_arns().iter().cloned()).collect();
        let has_balancer = world.securities.keys().any(|(_, role)| role == BALANCER);
        // Of one deployment all is looked for, also what only a removal that ended half-way has left.
        if attached.is_empty() && !has_balancer && deployment.is_none() {
            return Ok(world);
        }
        let is_asked = |arn: &String| deployment.is_some() || world.is_in_doubt(arn);
        let attached: Vec<String> = attached.into_iter().filter(is_asked).collect();
        (world.balancers, world.target_groups, world.targets) =
            tokio::try_join!(balancers(aws), target_groups(aws), target_health(aws, &attached))?;
        Ok(world)
    }

    /// Whether only a target group itself can say who is healthy in it. Who has been there for long is asked by Auto Scaling,
    /// which says what it hears: no call for each of a thousand that work.
    fn is_in_doubt(&self, target_group: &str) -> bool {
        let mut groups = self.groups.values().flatten();
        groups.any(|group| {
            group.target_group_arns().iter().any(|arn| arn == target_group)
                && !is_settled(group, &self.instances, SystemTime::now())
        })
    }

    /// The names of deployments of which there is anything.
    pub(super) fn deployments(&self) -> BTreeSet<String> {
        let of_securities = self.securities.keys().map(|(deployment, _)| deployment);
        self.groups.keys().chain(of_securities).cloned().collect()
    }

    pub(super) fn groups_of(&self, deployment: &str) -> impl Iterator<Item = &AutoScalingGroup> {
        self.groups.get(deployment).into_iter().flatten()
    }

    /// Those of its groups that have traffic.
    pub(super) fn serving(&self, deployment: &str) -> impl Iterator<Item = &AutoScalingGroup> {
        self.groups_of(deployment).filter(|group| serves(group))
    }

    /// Whether a group of it is attached to a target group.
    pub(super) fn has_servers(&self, deployment: &str, target_group: &str) -> bool {
        let mut groups = self.groups_of(deployment);
        groups.any(|one| one.target_group_arns().iter().any(|arn| arn == target_group))
    }

    /// The networks that its servers are in; `None`: of a group that cannot be said.
    pub(super) fn networks_of(&self, deployment: &str) -> Option<BTreeSet<&str>> {
        let mut all = BTreeSet::new();
        for group in self.groups_of(deployment) {
            all.insert(self.network_of(group)?);
        }
        Some(all)
    }

    /// The network that a group's servers are in; `None`: it has none yet.
    pub(super) fn network_of(&self, group: &AutoScalingGroup) -> Option<&str> {
        let mut members = group.instances().iter().filter_map(|one| one.instance_id());
        members.find_map(|id| self.instances.get(id)?.vpc_id())
    }

    /// Its security groups with a role: one in each network.
    pub(super) fn securities_of(
        &self,
        deployment: &str,
        role: &str,
    ) -> impl Iterator<Item = &SecurityGroup> {
        self.securities.get(&(deployment.to_owned(), role.to_owned())).into_iter().flatten()
    }

    /// The one in a network; any, where it is not known in which.
    pub(super) fn security(
        &self,
        deployment: &str,
        role: &str,
        vpc: Option<&str>,
    ) -> Option<&SecurityGroup> {
        let mut all = self.securities_of(deployment, role);
        all.find(|group| vpc.is_none() || group.vpc_id() == vpc)
    }

    pub(super) fn balancers_of(&self, names: Names<'_>) -> impl Iterator<Item = &LoadBalancer> {
        named(&self.balancers, names.short())
    }

    pub(super) fn target_groups_of(&self, names: Names<'_>) -> impl Iterator<Item = &TargetGroup> {
        named(&self.target_groups, names.short())
    }
}

/// Those whose names begin alike.
fn named<T>(all: &BTreeMap<String, T>, beginning: String) -> impl Iterator<Item = &T> {
    let from = all.range(beginning.clone()..);
    from.take_while(move |(name, _)| name.starts_with(&beginning)).map(|(_, one)| one)
}

/// The tags of a group.
pub(super) fn group_tags(group: &AutoScalingGroup) -> Tags {
    let pair = |tag: &aws_sdk_autoscaling::types::TagDescription| {
        Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))
    };
    group.tags().iter().filter_map(pair).collect()
}

/// Whether it has traffic; where nobody hands that out, whether it is the one that counts.
pub(super) fn serves(group: &AutoScalingGroup) -> bool {
    !group.target_group_arns().is_empty() || group_tags(group).contains_key(ATTACHED)
}

/// Whether what Auto Scaling says of all servers of a group is what their target group says.
fn is_settled(
    group: &AutoScalingGroup,
    instances: &BTreeMap<String, Instance>,
    now: SystemTime,
) -> bool {
    let grace = u64::try_from(group.health_check_grace_period().unwrap_or(0)).unwrap_or(0);
    let is_old = |id: &str| {
        let launched = instances.get(id).and_then(|one| one.launch_time());
        let launched = launched.and_then(|time| SystemTime::try_from(*time).ok());
        let age = launched.and_then(|time| now.duration_since(time).ok());
        age.is_some_and(|age| age > Duration::from_secs(grace) + LOOKED_AT)
    };
    group.health_check_type() == Some("ELB")
        && group.instances().iter().all(|member| {
            member.lifecycle_state() == Some(&LifecycleState::InService)
                && member.health_status().is_some_and(|said| said.eq_ignore_ascii_case("healthy"))
                && member.instance_id().is_some_and(is_old)
        })
}

/// Whether somebody has begun to delete it: it has a state then.
pub(super) fn is_going(group: &AutoScalingGroup) -> bool {
    group.status().is_some_and(|status| status.to_lowercase().contains("delet"))
}

async fn groups(
    aws: &Aws,
    project: &str,
    deployment: Option<&str>,
) -> Result<BTreeMap<String, Vec<AutoScalingGroup>>, Refusal> {
    let of = |name: &str, value: &str| {
        GroupFilter::builder().name(format!("tag:{name}")).values(value).build()
    };
    let mut call = aws.autoscaling.describe_auto_scaling_groups().max_records(GROUPS);
    call = call.filters(of(PROJECT, project));
    if let Some(name) = deployment {
        call = call.filters(of(DEPLOYMENT, &tags::value(name)));
    }
    let mut pages = call.into_paginator().items().send();
    let mut all: BTreeMap<String, Vec<AutoScalingGroup>> = BTreeMap::new();
    while let Some(group) = pages.next().await {
        let group = group?;
        let deployment = group_tags(&group).remove(DEPLOYMENT);
        if let Some(deployment) = deployment.filter(|_| !is_going(&group)) {
            all.entry(deployment).or_default().push(group);
        }
    }
    Ok(all)
}

async fn instances(aws: &Aws, ours: Vec<Filter>) -> Result<BTreeMap<String, Instance>, Refusal> {
    let there = ["pending", "running", "shutting-down", "stopping", "stopped"];
    let call = aws.ec2.describe_instances().set_filters(Some(ours));
    let call = call.filters(filter("instance-state-name", there));
    let mut pages = call.into_paginator().items().send();
    let mut all = BTreeMap::new();
    while let Some(reservation) = pages.next().await {
        for instance in reservation?.instances.unwrap_or_default() {
            all.insert(instance.instance_id().unwrap_or_default().to_owned(), instance);
        }
    }
    Ok(all)
}

async fn securities(
    aws: &Aws,
    ours: Vec<Filter>,
) -> Result<BTreeMap<(String, String), Vec<SecurityGroup>>, Refusal> {
    let call = aws.ec2.describe_security_groups().set_filters(Some(ours));
    let mut pages = call.into_paginator().items().send();
    let mut all: BTreeMap<_, Vec<SecurityGroup>> = BTreeMap::new();
    while let Some(group) = pages.next().await {
        let group = group?;
        let mut tags = tags::read(group.tags());
        let role = tags.remove(ROLE).unwrap_or_default();
        if let Some(deployment) = tags.remove(DEPLOYMENT) {
            all.entry((deployment, role)).or_default().push(group);
        }
    }
    Ok(all)
}

async fn balancers(aws: &Aws) -> Result<BTreeMap<String, LoadBalancer>, Refusal> {
    let mut pages =
        aws.elb.describe_load_balancers().page_size(BALANCERS).into_paginator().items().send();
    let mut all = BTreeMap::new();
    while let Some(one) = pages.next().await {
        let one = one?;
        all.insert(one.load_balancer_name().unwrap_or_default().to_owned(), one);
    }
    Ok(all)
}

async fn target_groups(aws: &Aws) -> Result<BTreeMap<String, TargetGroup>, Refusal> {
    let mut pages =
        aws.elb.describe_target_groups().page_size(BALANCERS).into_paginator().items().send();
    let mut all = BTreeMap::new();
    while let Some(one) = pages.next().await {
        let one = one?;
        all.insert(one.target_group_name().unwrap_or_default().to_owned(), one);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_been_there_for_long_is_judged_by_auto_scaling() {
        use aws_sdk_autoscaling::types::Instance as Member;
        let now = SystemTime::now();
        let settled = |age: u64, health: &str, check: &str| {
            let launched = now - Duration::from_secs(age);
            let one = Instance::builder().launch_time(launched.into()).build();
            let member = Member::builder().instance_id("i-1").health_status(health);
            let member = member.lifecycle_state(LifecycleState::InService).build();
            let group = AutoScalingGroup::builder().health_check_type(check);
            let group = group.health_check_grace_period(120).instances(member).build();
            is_settled(&group, &[("i-1".to_owned(), one)].into(), now)
        };
        assert!(settled(200, "Healthy", "ELB"));
        assert!(!settled(150, "Healthy", "ELB"), "Auto Scaling may not have looked");
        assert!(!settled(200, "Unhealthy", "ELB"), "the target group says why");
        assert!(!settled(200, "Healthy", "EC2"), "Auto Scaling does not look");
    }

    #[test]
    fn what_is_a_deployments_is_found_by_how_its_name_begins() {
        let all = ["kiln-a-1-x", "kiln-ab-1-x", "kiln-ab-1-y", "kiln-ab-2-x", "kiln-b"];
        let all = all.map(|name| (name.to_owned(), name)).into();
        let found: Vec<_> = named(&all, "kiln-ab-1-".into()).collect();
        assert_eq!(found, [&"kiln-ab-1-x", &"kiln-ab-1-y"]);
    }
}
