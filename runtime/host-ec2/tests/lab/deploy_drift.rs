//! What runs, compared with what is declared: reading it is cheap, and what somebody changed by hand is mended.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, page, recipes, told};
use super::project::Project;
use kiln::{Deployment, target};
use std::collections::BTreeSet;

#[test]
fn nothing_changed_is_a_handful_of_reads() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = told(page(&project), "one");
    fleet.prepare(&one);
    fleet.run(&one, &["deploy", "--yes"]).done();
    for command in [&["plan", "--detailed-exitcode"][..], &["deploy", "--yes"]] {
        let (ran, calls) = lab.calls_of(|| fleet.run(&one, command).done());
        let actions: Vec<&str> = calls.iter().map(|(action, _)| action.as_str()).collect();
        assert!(actions.iter().all(|action| action.starts_with("Describe")), "{actions:?}");
        assert!(actions.len() <= 14, "{} calls: {actions:?}\n{}", actions.len(), ran.stdout);
    }
}

#[test]
fn what_was_changed_by_hand_is_shown_and_mended() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = told(page(&project), "one").tags([("team", "web")]);
    let traffic = fleet.begin(&one);
    let name = "boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]['AutoScalingGroupName']";
    let group = lab.boto(name);
    let by_hand = [
        format!(
            "boto3.client('autoscaling').update_auto_scaling_group(AutoScalingGroupName={group}, MinSize=1, DesiredCapacity=1)"
        ),
        format!(
            "boto3.client('autoscaling').create_or_update_tags(Tags=[{{'ResourceId': {group}, 'ResourceType': 'auto-scaling-group', 'Key': 'team', 'Value': 'nobody', 'PropagateAtLaunch': True}}])"
        ),
        format!(
            "boto3.client('autoscaling').detach_load_balancer_target_groups(AutoScalingGroupName={group}, TargetGroupARNs=[boto3.client('elbv2').describe_target_groups()['TargetGroups'][0]['TargetGroupArn']])"
        ),
    ];
    let server = "boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]['Instances'][0]['InstanceId']";
    let by_hand = by_hand.into_iter().chain([
        format!(
            "ec2.create_tags(Resources=[{server}], Tags=[{{'Key': 'team', 'Value': 'nobody'}}])"
        ),
        format!(
            "ec2.terminate_instances(InstanceIds=[{server}])['ResponseMetadata']['HTTPStatusCode']"
        ),
    ]);
    for change in by_hand {
        lab.boto(&change);
        let plan = fleet.run(&one, &["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, Some(2), "after {change}:\n{}\n{}", plan.stdout, plan.stderr);
        fleet.run(&one, &["deploy", "--yes"]).done();
        let plan = fleet.run(&one, &["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, Some(0), "after {change}:\n{}", plan.stdout);
        let (count, servers) = &fleet.groups()[0];
        assert_eq!((*count, servers.len()), (2, 2), "after {change}");
        assert!(traffic.sees("one"));
    }
    assert_eq!(lab.boto(name), group, "what can be mended is not replaced");
    let groups = fleet.groups();
    assert!(matches!(&groups[..], [(2, _)]), "{groups:?}");
}

#[test]
fn of_ten_deployments_the_three_that_changed_roll_side_by_side() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let small = |number: usize, version: &str| {
        let script =
            format!("#!/bin/sh\nprintf %s '{version}' >/srv/told && mv /srv/told /srv/version\n");
        Deployment::new(format!("{NAME}-{number}"))
            .image(page(&project))
            .target(target::ec2().instance_type("t3.micro").user_data(script))
            .replicas(1)
            .strategy(kiln::strategy::red_black().keep_previous(0))
    };
    let ten = |changed: &[usize]| {
        recipes((0..10).map(|n| small(n, if changed.contains(&n) { "two" } else { "one" })))
    };
    fleet.on(&ten(&[]), &["update", "page"]).done();
    fleet.on(&ten(&[]), &["deploy", "--yes"]).done();
    let before: BTreeSet<Vec<String>> = fleet.groups().into_iter().map(|(_, ids)| ids).collect();
    let ran = fleet.on(&ten(&[2, 5, 7]), &["deploy", "--yes"]).done();
    let after: BTreeSet<Vec<String>> = fleet.groups().into_iter().map(|(_, ids)| ids).collect();
    assert_eq!(after.intersection(&before).count(), 7, "{before:?} {after:?}");
    assert_eq!(after.len(), 10);
    let phases = ran.phases(&["launching", "done"]);
    let first: BTreeSet<&str> = phases.iter().take(3).map(|(name, _)| name.as_str()).collect();
    let all_begin = phases.iter().take(3).all(|(_, phase)| phase == "launching");
    assert!(all_begin && first.len() == 3, "one after the other: {phases:?}");
    assert_eq!(phases.len(), 6, "{phases:?}");
}
