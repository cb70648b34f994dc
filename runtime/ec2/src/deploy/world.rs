use super::names::{BALANCER, DEPLOYMENT, Names, ROLE};
use crate::aws::tags::{self, PROJECT, Tags};
use crate::aws::{Aws, Refusal, filter};
use crate::wait::{Targets, target_health};
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter as GroupFilter};
use aws_sdk_ec2::types::{Filter, Instance, SecurityGroup};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};
use std::collections::{BTreeMap, BTreeSet};

/// How many groups one answer holds at most.
const GROUPS: i32 = 100;
/// How many load balancers, or target groups, one answer holds at most.
const BALANCERS: i32 = 400;

/// What runs of a project, or of one deployment of it: a call of each kind and page, and one for each target group that
/// has servers. Of what does not bear our tags only target groups are looked at, which ours are attached to.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Those that nobody has begun to delete.
    pub(super) groups: Vec<AutoScalingGroup>,
    /// By id: those that are not terminated.
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) securities: Vec<SecurityGroup>,
    /// All of the region: whose they are, their names say.
    pub(super) balancers: Vec<LoadBalancer>,
    /// All of the region.
    pub(super) target_groups: Vec<TargetGroup>,
    /// By target group: those that ours are attached to.
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
        let attached: BTreeSet<String> =
            world.groups.iter().flat_map(|group| group.target_group_arns().to_vec()).collect();
        let is_balancer = |one: &SecurityGroup| {
            tags::read(one.tags()).get(ROLE).is_some_and(|role| role == BALANCER)
        };
        if attached.is_empty() && !world.securities.iter().any(is_balancer) {
            return Ok(world);
        }
        let attached: Vec<String> = attached.into_iter().collect();
        (world.balancers, world.target_groups, world.targets) =
            tokio::try_join!(balancers(aws), target_groups(aws), target_health(aws, &attached))?;
        Ok(world)
    }

    /// The names of deployments of which there is anything.
    pub(super) fn deployments(&self) -> BTreeSet<String> {
        let groups = self.groups.iter().map(group_tags);
        let securities = self.securities.iter().map(|one| tags::read(one.tags()));
        groups.chain(securities).filter_map(|mut tags| tags.remove(DEPLOYMENT)).collect()
    }

    pub(super) fn groups_of(&self, deployment: &str) -> impl Iterator<Item = &AutoScalingGroup> {
        let of = move |group: &&AutoScalingGroup| {
            group_tags(group).get(DEPLOYMENT).is_some_and(|name| name == deployment)
        };
        self.groups.iter().filter(of)
    }

    /// The security group with a role.
    pub(super) fn security(&self, deployment: &str, role: &str) -> Option<&SecurityGroup> {
        self.securities.iter().find(|one| {
            let tags = tags::read(one.tags());
            let is = |name: &str, value: &str| tags.get(name).is_some_and(|is| is == value);
            is(DEPLOYMENT, deployment) && is(ROLE, role)
        })
    }

    pub(super) fn balancers_of(&self, names: Names<'_>) -> impl Iterator<Item = &LoadBalancer> {
        let short = names.short();
        self.balancers.iter().filter(move |one| is_named(one.load_balancer_name(), &short))
    }

    pub(super) fn target_groups_of(&self, names: Names<'_>) -> impl Iterator<Item = &TargetGroup> {
        let short = names.short();
        self.target_groups.iter().filter(move |one| is_named(one.target_group_name(), &short))
    }
}

fn is_named(name: Option<&str>, beginning: &str) -> bool {
    name.is_some_and(|name| name.starts_with(beginning))
}

/// The tags of a group.
pub(super) fn group_tags(group: &AutoScalingGroup) -> Tags {
    let pair = |tag: &aws_sdk_autoscaling::types::TagDescription| {
        Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))
    };
    group.tags().iter().filter_map(pair).collect()
}

/// Whether somebody has begun to delete it: it has a state then.
pub(super) fn is_going(group: &AutoScalingGroup) -> bool {
    group.status().is_some_and(|status| status.to_lowercase().contains("delet"))
}

async fn groups(
    aws: &Aws,
    project: &str,
    deployment: Option<&str>,
) -> Result<Vec<AutoScalingGroup>, Refusal> {
    let of = |name: &str, value: &str| {
        GroupFilter::builder().name(format!("tag:{name}")).values(value).build()
    };
    let mut call = aws.autoscaling.describe_auto_scaling_groups().max_records(GROUPS);
    call = call.filters(of(PROJECT, project));
    if let Some(name) = deployment {
        call = call.filters(of(DEPLOYMENT, &tags::value(name)));
    }
    let mut pages = call.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(group) = pages.next().await {
        let group = group?;
        if !is_going(&group) && group_tags(&group).contains_key(DEPLOYMENT) {
            all.push(group);
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

async fn securities(aws: &Aws, ours: Vec<Filter>) -> Result<Vec<SecurityGroup>, Refusal> {
    let call = aws.ec2.describe_security_groups().set_filters(Some(ours));
    let mut pages = call.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(group) = pages.next().await {
        all.push(group?);
    }
    Ok(all)
}

async fn balancers(aws: &Aws) -> Result<Vec<LoadBalancer>, Refusal> {
    let mut pages =
        aws.elb.describe_load_balancers().page_size(BALANCERS).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(one) = pages.next().await {
        all.push(one?);
    }
    Ok(all)
}

/// All target groups of the region.
pub(super) async fn target_groups(aws: &Aws) -> Result<Vec<TargetGroup>, Refusal> {
    let mut pages =
        aws.elb.describe_target_groups().page_size(BALANCERS).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(one) = pages.next().await {
        all.push(one?);
    }
    Ok(all)
}
