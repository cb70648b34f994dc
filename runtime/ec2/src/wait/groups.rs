use super::seen::Seen;
use crate::aws::{Aws, MOST, Refusal, filter};
use aws_sdk_autoscaling::types::{Activity, AutoScalingGroup, ScalingActivityStatusCode};
use aws_sdk_ec2::types::{Instance, SummaryStatus};
use aws_sdk_elasticloadbalancingv2::types::TargetHealth;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many groups one call takes
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>).
const PAGE: usize = 100;

/// How many instances one answer on status checks holds at most.
const STATUS_PAGE: i32 = 1000;

/// An Auto Scaling group, and what the rest of EC2 says of its servers.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) group: AutoScalingGroup,
    pub(crate) instances: BTreeMap<String, Instance>,
    /// What the status checks say, of instances that run.
    pub(crate) checks: BTreeMap<String, Checks>,
    /// Why its last launch failed, where none has been tried since.
    pub(crate) failure: Option<Failure>,
}

impl Group {
    /// Each server, where it is in its life with the group, and the state of its instance.
    pub(super) fn servers(&self) -> impl Iterator<Item = [Option<&str>; 3]> {
        self.group.instances().iter().map(|member| {
            let id = member.instance_id();
            let instance = id.and_then(|id| self.instances.get(id));
            let state = instance.and_then(|one| one.state()?.name());
            let lifecycle = member.lifecycle_state();
            [id, lifecycle.map(|state| state.as_str()), state.map(|state| state.as_str())]
        })
    }
}

/// What EC2's two status checks say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    Passed,
    Failed,
    Undecided,
}

/// A launch that Auto Scaling could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its activity: another one is another try.
    pub(crate) id: String,
    pub(crate) message: String,
}

/// The health of targets, by instance.
pub(crate) type Targets = BTreeMap<String, TargetHealth>;

/// Reads groups for the poller.
pub(super) async fn groups(aws: &Aws, names: &[String]) -> Result<BTreeMap<String, Seen>, Refusal> {
    let groups = all(aws, names).await?.into_iter();
    let seen = groups.filter_map(|group| Some((name(&group.group)?, Seen::Group(Arc::new(group)))));
    Ok(seen.collect())
}

/// Reads one group.
///
/// # Errors
/// When a call is refused.
pub(crate) async fn group(aws: &Aws, name: &str) -> Result<Option<Group>, Refusal> {
    Ok(all(aws, &[name.to_owned()]).await?.pop())
}

/// Groups with all that is in them: a call of each kind and page, however many there are.
async fn all(aws: &Aws, names: &[String]) -> Result<Vec<Group>, Refusal> {
    let mut found: Vec<AutoScalingGroup> = Vec::new();
    for names in names.chunks(PAGE) {
        let call = aws.autoscaling.describe_auto_scaling_groups().max_records(100);
        let call = call.set_auto_scaling_group_names(Some(names.to_vec()));
        found.extend(call.send().await?.auto_scaling_groups.unwrap_or_default());
    }
    let ids: Vec<String> = found.iter().flat_map(servers).map(ToOwned::to_owned).collect();
    let short: BTreeSet<String> =
        found.iter().filter(|one| is_short(one)).filter_map(name).collect();
    let (mut instances, checks, mut failures) =
        tokio::try_join!(instances(aws, &ids), checks(aws, &ids), failures(aws, &short))?;
    let with_all = |group: AutoScalingGroup| {
        let ids: Vec<&str> = servers(&group).collect();
        let mine = |id: &&str| Some(((*id).to_owned(), instances.remove(*id)?));
        let said = |id: &&str| Some(((*id).to_owned(), *checks.get(*id)?));
        Some(Group {
            instances: ids.iter().filter_map(mine).collect(),
            checks: ids.iter().filter_map(said).collect(),
            failure: failures.remove(group.auto_scaling_group_name()?),
            group,
        })
    };
    Ok(found.into_iter().filter_map(with_all).collect())
}

fn name(group: &AutoScalingGroup) -> Option<String> {
    group.auto_scaling_group_name.clone()
}

fn servers(group: &AutoScalingGroup) -> impl Iterator<Item = &str> {
    group.instances().iter().filter_map(|instance| instance.instance_id())
}

/// Whether it has fewer servers than it is to have: only then it is asked what it tried.
fn is_short(group: &AutoScalingGroup) -> bool {
    let wanted = usize::try_from(group.desired_capacity().unwrap_or_default()).unwrap_or_default();
    group.instances().len() < wanted
}

async fn instances(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, Instance>, Refusal> {
    let mut all = BTreeMap::new();
    for ids in ids.chunks(MOST) {
        let answer =
            aws.ec2.describe_instances().filters(filter("instance-id", ids)).send().await?;
        let reservations = answer.reservations.unwrap_or_default().into_iter();
        for instance in reservations.flat_map(|one| one.instances.unwrap_or_default()) {
            all.insert(instance.instance_id().unwrap_or_default().to_owned(), instance);
        }
    }
    Ok(all)
}

/// Of all instances that run, not of these: a call that names one that is not visible yet is refused whole.
async fn checks(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, Checks>, Refusal> {
    let mut all = BTreeMap::new();
    if ids.is_empty() {
        return Ok(all);
    }
    let call = aws.ec2.describe_instance_status().max_results(STATUS_PAGE);
    let mut pages = call.into_paginator().items().send();
    while let Some(status) = pages.next().await {
        let status = status?;
        let both = [status.instance_status(), status.system_status()];
        let both = both.map(|one| one.and_then(|one| one.status()));
        let said = if both.contains(&Some(&SummaryStatus::Impaired)) {
            Checks::Failed
        } else if both.iter().all(|one| *one == Some(&SummaryStatus::Ok)) {
            Checks::Passed
        } else {
            Checks::Undecided
        };
        all.insert(status.instance_id().unwrap_or_default().to_owned(), said);
    }
    Ok(all)
}

/// One call for all groups: the newest activities of the region.
async fn failures(
    aws: &Aws,
    short: &BTreeSet<String>,
) -> Result<BTreeMap<String, Failure>, Refusal> {
    let mut newest: BTreeMap<String, Activity> = BTreeMap::new();
    if short.is_empty() {
        return Ok(BTreeMap::new());
    }
    let call = aws.autoscaling.describe_scaling_activities().max_records(100);
    for activity in call.send().await?.activities.unwrap_or_default() {
        let group = activity.auto_scaling_group_name().unwrap_or_default().to_owned();
        let at = |one: &Activity| one.start_time().map(|time| (time.secs(), time.subsec_nanos()));
        if short.contains(&group)
            && newest.get(&group).is_none_or(|known| at(known) < at(&activity))
        {
            newest.insert(group, activity);
        }
    }
    let failed = newest.into_iter().filter_map(|(group, activity)| {
        let has_failed = matches!(
            activity.status_code(),
            Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Cancelled)
        );
        let id = activity.activity_id().unwrap_or_default().to_owned();
        let message = activity.status_message().or(activity.description()).unwrap_or_default();
        has_failed.then(|| (group, Failure { id, message: message.to_owned() }))
    });
    Ok(failed.collect())
}

/// Reads target groups for the poller.
pub(super) async fn targets(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Seen>, Refusal> {
    let health = target_health(aws, arns).await?;
    Ok(health.into_iter().map(|(arn, targets)| (arn, Seen::Targets(Arc::new(targets)))).collect())
}

/// The health of the targets of target groups, each by a call, all at once: there is none for several. Those that are
/// gone are missing.
///
/// # Errors
/// When one call is refused.
pub(crate) async fn target_health(
    aws: &Aws,
    arns: &[String],
) -> Result<BTreeMap<String, Targets>, Refusal> {
    let mut reads = JoinSet::new();
    for arn in arns {
        let (elb, arn) = (aws.elb.clone(), arn.clone());
        reads.spawn(async move {
            let answer = elb.describe_target_health().target_group_arn(&arn).send().await;
            (arn, answer.map_err(Refusal::from))
        });
    }
    let mut all = BTreeMap::new();
    while let Some(read) = reads.join_next().await {
        let Ok((arn, answer)) = read else { continue };
        let answer = match answer {
            Err(refusal) if refusal.is_not_found() => continue,
            answer => answer?,
        };
        let mut targets = Targets::new();
        for one in answer.target_health_descriptions.unwrap_or_default() {
            if let (Some(target), Some(health)) = (one.target, one.target_health) {
                targets.insert(target.id.unwrap_or_default(), health);
            }
        }
        all.insert(arn, targets);
    }
    Ok(all)
}
