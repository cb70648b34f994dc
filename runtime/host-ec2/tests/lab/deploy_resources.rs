//! What a deploy makes in an account, seen with AWS's own client.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, page, recipes, told};
use super::project::Project;
use kiln::{Deployment, health, load_balancer, target};
use serde_json::{Value, json};

const GROUP: &str =
    "boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]";
const RUNNING: &str = "[i for r in ec2.describe_instances()['Reservations'] for i in r['Instances'] if i['State']['Name'] == 'running']";

/// The kind of each thing, and its tags.
fn tagged(lab: &Lab) -> Vec<(String, Value)> {
    let of = "lambda all: [{t['Key']: t['Value'] for t in o.get('Tags', [])} for o in all]";
    let elb = "[a for e in [boto3.client('elbv2')] for a in \
        [b['LoadBalancerArn'] for b in e.describe_load_balancers()['LoadBalancers']] \
        + [g['TargetGroupArn'] for g in e.describe_target_groups()['TargetGroups']] \
        + [l['ListenerArn'] for b in e.describe_load_balancers()['LoadBalancers'] \
           for l in e.describe_listeners(LoadBalancerArn=b['LoadBalancerArn'])['Listeners']]]";
    let kinds = [
        ("group", "boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']".to_owned()),
        ("instance", RUNNING.to_owned()),
        ("volume", "ec2.describe_volumes()['Volumes']".to_owned()),
        ("template", "ec2.describe_launch_templates()['LaunchTemplates']".to_owned()),
        ("security group", "[g for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'] != 'default']".to_owned()),
        ("balancer, target group or listener", format!("boto3.client('elbv2').describe_tags(ResourceArns={elb})['TagDescriptions']")),
    ];
    let mut all = Vec::new();
    for (kind, list) in kinds {
        let tags = lab.boto(&format!("({of})({list})"));
        let tags = tags.as_array().unwrap();
        assert!(!tags.is_empty(), "no {kind}");
        all.extend(tags.iter().map(|tags| (kind.to_owned(), tags.clone())));
    }
    all
}

#[test]
fn everything_bears_tags_and_servers_are_launched_as_is_safe() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = told(page(&project), "one").tags([("team", "web")]);
    fleet.prepare(&one);
    fleet.run(&one, &["deploy", "--yes"]).done();
    let all = tagged(&lab);
    // One group with two servers and their volumes, a template, two security groups, and what stands before them.
    assert_eq!(all.len(), 1 + 2 + 2 + 1 + 2 + 3, "{all:?}");
    for (kind, tags) in &all {
        for (name, value) in [("team", "web"), ("kiln:project", "shop"), ("kiln:deployment", NAME)]
        {
            assert_eq!(tags[name], value, "{kind}: {tags}");
        }
    }
    let version = lab.boto(&format!("{GROUP}['LaunchTemplate']['Version']"));
    assert!(version.as_str().unwrap().parse::<u32>().is_ok(), "not pinned: {version}");
    let servers = lab.boto(RUNNING);
    for server in servers.as_array().unwrap() {
        assert_eq!(server["MetadataOptions"]["HttpTokens"], "required", "{server}");
    }
    let volumes = lab.boto("[v['VolumeType'] for v in ec2.describe_volumes()['Volumes']]");
    assert_eq!(volumes, json!(["gp3", "gp3"]));
}

#[test]
fn servers_that_nobody_stands_before_are_asked_by_tcp_and_reached_at_their_addresses() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let script = |version: &str| {
        format!("#!/bin/sh\nprintf %s {version} >/srv/told && mv /srv/told /srv/version\n")
    };
    let of = |version: &str| {
        Deployment::new(NAME)
            .image(page(&project))
            .target(target::ec2().instance_type("t3.micro").user_data(script(version)))
            .replicas(2)
            .ports([8080])
            .health(health::tcp().port(8080).interval("5s").within("60s").soak("2s"))
    };
    fleet.prepare(&of("one"));
    for version in ["one", "two"] {
        let ran = fleet.run(&of(version), &["deploy", "--yes"]).done();
        assert_eq!(ran.phases(&["soaking"]).len(), 1, "{}", ran.stdout);
        let addresses = fleet.output(&of(version), "addresses");
        let addresses: Vec<&str> =
            addresses.split([' ', ',']).filter(|one| !one.is_empty()).collect();
        assert_eq!(addresses.len(), 2, "{addresses:?}");
        for address in addresses {
            let mut answer = ureq::get(format!("http://{address}:8080/")).call().unwrap();
            assert_eq!(answer.body_mut().read_to_string().unwrap(), version);
        }
    }
    // A port that nobody listens on: told so, and nothing of it is left.
    let deaf = of("three").health(health::tcp().port(81).interval("5s").within("10s")).ports([81]);
    let refusal = fleet.run(&deaf, &["deploy", "--yes"]).refusal().to_string();
    assert!(refusal.contains("nothing listens on port 81"), "{refusal}");
    let text = project.run_on(&recipes([of("two")]), &["output", NAME]).done().stdout;
    assert!(text.contains("addresses = "), "{text}");
    fleet.run(&of("two"), &["destroy", NAME, "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
}

#[test]
fn a_network_load_balancer_hands_the_traffic_on_without_a_failed_request() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let of = |version: &str| {
        told(page(&project), version)
            .health(health::tcp().port(8080).interval("5s").within("60s"))
            .load_balancer(load_balancer::network().listen(80).to(8080).drain("2s"))
    };
    let traffic = fleet.begin(&of("one"));
    fleet.run(&of("two"), &["deploy", "--yes"]).done();
    traffic.new_connections_see("two");
    let zones = lab.boto(
        "[a['Value'] for e in [boto3.client('elbv2')] for g in e.describe_target_groups()['TargetGroups'] \
          for a in e.describe_target_group_attributes(TargetGroupArn=g['TargetGroupArn'])['Attributes'] \
          if a['Key'] == 'load_balancing.cross_zone.enabled']",
    );
    assert_eq!(zones, json!(["true"]), "one target group, which forwards to every zone");
    fleet.run(&of("two"), &["rollback", NAME, "--yes"]).done();
    traffic.new_connections_see("one");
    drop(traffic);
    fleet.run(&of("two"), &["destroy", NAME, "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
}

#[test]
fn a_rollback_to_servers_that_are_kept_makes_none() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let of = |version: &str| {
        told(page(&project), version).strategy(kiln::strategy::red_black().keep_previous(2))
    };
    let traffic = fleet.begin(&of("one"));
    for version in ["two", "three"] {
        traffic.switch(version, || fleet.run(&of(version), &["deploy", "--yes"]).done());
    }
    let servers = lab.instances();
    let back = || fleet.run(&of("three"), &["rollback", NAME, "--to", "1", "--yes"]).done();
    let (_, calls) = lab.calls_of(|| traffic.switch("one", back));
    let made: Vec<&String> = calls
        .iter()
        .map(|(action, _)| action)
        .filter(|action| action.contains("AutoScalingGroup") && action.starts_with("Create"))
        .collect();
    assert_eq!(made, [""; 0]);
    assert_eq!(lab.instances(), servers);
}
