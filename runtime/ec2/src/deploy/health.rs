use super::tally::Told;
use crate::wait::{Checks, Targets};
use aws_sdk_autoscaling::types::{Instance as Member, LifecycleState};
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use kiln_engine::driver::{Server, ServerHealth};

/// What is known of one server.
pub(super) struct Evidence<'a> {
    /// What its group says.
    pub(super) member: &'a Member,
    pub(super) instance: Option<&'a Instance>,
    /// What EC2's status checks say.
    pub(super) checks: Option<Checks>,
    /// Those of the target groups that its group is attached to.
    pub(super) targets: Vec<&'a Targets>,
    /// What our own checks say, where they are made.
    pub(super) told: Option<Told>,
    /// Whether a target group will tell later what nobody can tell from here.
    pub(super) is_told_later: bool,
}

/// A server, and whether it works.
pub(super) fn server(evidence: &Evidence<'_>) -> Server {
    let address = evidence.instance.and_then(address);
    Server {
        id: evidence.member.instance_id().unwrap_or_default().to_owned(),
        address: address.map(ToOwned::to_owned),
        health: health(evidence),
    }
}

/// The public address, where there is one.
pub(super) fn address(instance: &Instance) -> Option<&str> {
    let public = instance.public_ip_address().filter(|address| !address.is_empty());
    public.or(instance.private_ip_address())
}

fn health(evidence: &Evidence<'_>) -> ServerHealth {
    let Evidence { member, instance, checks, targets, told, is_told_later } = evidence;
    let state = instance.and_then(|one| one.state()).and_then(|state| state.name());
    if let Some(ended) = early(member, state) {
        return ended;
    }
    if *checks == Some(Checks::Failed) {
        return ServerHealth::Unhealthy("EC2's status checks fail".into());
    }
    if member.health_status().is_some_and(|status| !status.eq_ignore_ascii_case("healthy"))
        && targets.is_empty()
    {
        return ServerHealth::Unhealthy("Auto Scaling says that it is unhealthy".into());
    }
    if !targets.is_empty() {
        return balanced(member.instance_id().unwrap_or_default(), targets);
    }
    match told {
        None | Some(Told::Healthy) => ServerHealth::Healthy,
        Some(Told::Unhealthy(why)) => ServerHealth::Unhealthy(why.clone()),
        Some(Told::NotYet) => ServerHealth::Starting,
        Some(Told::NotAskable) if *is_told_later || *checks == Some(Checks::Passed) => {
            ServerHealth::Healthy
        }
        Some(Told::NotAskable) => ServerHealth::Starting,
    }
}

/// Before it serves, and after.
fn early(member: &Member, state: Option<&InstanceStateName>) -> Option<ServerHealth> {
    let lifecycle = member.lifecycle_state().map_or("", LifecycleState::as_str);
    match (lifecycle, state) {
        ("InService", Some(InstanceStateName::Running)) => None,
        (_, Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated)) => {
            Some(ServerHealth::Leaving)
        }
        (_, Some(InstanceStateName::Stopping | InstanceStateName::Stopped)) => {
            Some(ServerHealth::Unhealthy("it was stopped".into()))
        }
        _ if ["Terminat", "Detach", "Standby", "EnteringStandby"]
            .iter()
            .any(|beginning| lifecycle.starts_with(beginning)) =>
        {
            Some(ServerHealth::Leaving)
        }
        _ => Some(ServerHealth::Starting),
    }
}

/// As its target groups have it: the worst of them.
fn balanced(id: &str, targets: &[&Targets]) -> ServerHealth {
    let mut worst = ServerHealth::Healthy;
    for targets in targets {
        let Some(target) = targets.get(id) else { return ServerHealth::Starting };
        match target.state() {
            Some(TargetHealthStateEnum::Healthy | TargetHealthStateEnum::Unavailable) => {}
            Some(TargetHealthStateEnum::Draining) => return ServerHealth::Leaving,
            Some(TargetHealthStateEnum::Unhealthy | TargetHealthStateEnum::UnhealthyDraining) => {
                let why = target.description().or(target.reason().map(|reason| reason.as_str()));
                let why = why.unwrap_or("its check fails");
                worst = ServerHealth::Unhealthy(format!("its load balancer says: {why}"));
            }
            _ if worst == ServerHealth::Healthy => worst = ServerHealth::Starting,
            _ => {}
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::InstanceState;
    use aws_sdk_elasticloadbalancingv2::types::TargetHealth;

    struct Case {
        lifecycle: &'static str,
        state: &'static str,
        checks: Option<Checks>,
        target: Option<&'static str>,
        told: Option<Told>,
        is_told_later: bool,
    }

    const SERVING: Case = Case {
        lifecycle: "InService",
        state: "running",
        checks: None,
        target: None,
        told: None,
        is_told_later: false,
    };

    fn told(case: Case) -> ServerHealth {
        let member = Member::builder()
            .instance_id("i-1")
            .lifecycle_state(LifecycleState::from(case.lifecycle))
            .health_status("Healthy")
            .build();
        let state = InstanceState::builder().name(InstanceStateName::from(case.state)).build();
        let instance = Instance::builder().state(state).build();
        let targets: Option<Targets> = case.target.map(|state| {
            let health = TargetHealth::builder().state(TargetHealthStateEnum::from(state));
            [("i-1".to_owned(), health.description("timed out").build())].into()
        });
        health(&Evidence {
            member: &member,
            instance: Some(&instance),
            checks: case.checks,
            targets: targets.iter().collect(),
            told: case.told,
            is_told_later: case.is_told_later,
        })
    }

    #[test]
    fn a_server_that_runs_and_that_nobody_asks_is_healthy_by_its_state() {
        assert_eq!(told(SERVING), ServerHealth::Healthy);
        assert_eq!(told(Case { lifecycle: "Pending", ..SERVING }), ServerHealth::Starting);
        assert_eq!(told(Case { state: "pending", ..SERVING }), ServerHealth::Starting);
        assert_eq!(told(Case { lifecycle: "Terminating:Wait", ..SERVING }), ServerHealth::Leaving);
        assert_eq!(told(Case { state: "shutting-down", ..SERVING }), ServerHealth::Leaving);
    }

    #[test]
    fn an_attached_server_is_as_its_target_group_says() {
        let at = |state| told(Case { target: Some(state), told: Some(Told::Healthy), ..SERVING });
        assert_eq!(at("healthy"), ServerHealth::Healthy);
        assert_eq!(at("initial"), ServerHealth::Starting);
        assert_eq!(at("draining"), ServerHealth::Leaving);
        let why = "its load balancer says: timed out".to_owned();
        assert_eq!(at("unhealthy"), ServerHealth::Unhealthy(why));
    }

    #[test]
    fn failing_status_checks_are_worse_than_any_other_answer() {
        let failed = Case { checks: Some(Checks::Failed), told: Some(Told::Healthy), ..SERVING };
        assert!(matches!(told(failed), ServerHealth::Unhealthy(_)));
    }

    #[test]
    fn where_nobody_can_ask_from_here_ec2_or_the_balancer_tells() {
        let unasked = || Case { told: Some(Told::NotAskable), ..SERVING };
        assert_eq!(told(unasked()), ServerHealth::Starting);
        assert_eq!(
            told(Case { checks: Some(Checks::Undecided), ..unasked() }),
            ServerHealth::Starting
        );
        assert_eq!(told(Case { checks: Some(Checks::Passed), ..unasked() }), ServerHealth::Healthy);
        assert_eq!(told(Case { is_told_later: true, ..unasked() }), ServerHealth::Healthy);
        assert_eq!(told(Case { told: Some(Told::NotYet), ..SERVING }), ServerHealth::Starting);
    }
}
