//! What is baked, and what is not baked again.

use super::cloud::Lab;
use super::project::Project;
use kiln::{Layer, step};
use serde_json::Value;

/// The parameter of the first call of an action.
fn parameter(calls: &[(String, Value)], action: &str, name: &str) -> String {
    let call = calls.iter().find(|(called, _)| called == action);
    let (_, parameters) = call.unwrap_or_else(|| panic!("no {action} in {calls:?}"));
    parameters[name].as_str().unwrap_or_else(|| panic!("{action}: {parameters}")).to_owned()
}

fn actions(calls: &[(String, Value)]) -> Vec<&str> {
    calls.iter().map(|(action, _)| action.as_str()).collect()
}

#[test]
fn three_layers_bake_and_again_needs_two_calls_and_no_instance() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let first = project.bake(project.three_layers("a"));
    assert_eq!(first.counts(), (5, 0, 0), "{}", first.stdout);
    assert_eq!(lab.instances(), [""; 0], "a machine is left");
    let (again, calls) = lab.calls_of(|| project.bake(project.three_layers("a")));
    assert_eq!(again.counts(), (0, 5, 0), "{}", again.stdout);
    assert!(again.ami().starts_with("ami-"));
    let mut made = actions(&calls);
    made.sort_unstable();
    assert_eq!(made, ["DescribeImages", "DescribeSnapshots"]);
}

#[test]
fn what_another_machine_has_baked_is_found_by_its_tags() {
    let lab = Lab::up(&[]);
    let here = Project::new(&lab);
    let image = |project: &Project<'_>| {
        project.debian("tiny").layer(Layer::new("mark").step(step::run("touch /etc/mark")))
    };
    assert_eq!(here.bake(image(&here)).counts(), (3, 0, 0));
    // Another store and another checkout, with the same lock file.
    let there = Project::new(&lab);
    std::fs::copy(here.path("kiln.lock"), there.path("kiln.lock")).unwrap();
    let (found, calls) = lab.calls_of(|| there.bake(image(&there)));
    assert_eq!(found.counts().2, 0, "{}", found.stdout);
    assert!(!actions(&calls).contains(&"RunInstances"), "{calls:?}");
}

#[test]
fn an_edit_of_the_last_layer_launches_from_the_snapshot_below_and_runs_it_alone() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    assert_eq!(project.bake(project.three_layers("a")).counts(), (5, 0, 0));
    let below = lab.boto(
        "ec2.describe_snapshots(OwnerIds=['self'], Filters=[{'Name': 'tag:kiln:layer', 'Values': ['pages']}])['Snapshots'][0]['SnapshotId']",
    );
    let (edited, calls) = lab.calls_of(|| project.bake(project.three_layers("b")));
    assert_eq!(edited.counts(), (2, 3, 0), "{}", edited.stdout);
    assert_eq!(edited.layers("step"), ["settings", "settings"]);
    assert_eq!(
        parameter(&calls, "RegisterImage", "BlockDeviceMapping.1.Ebs.SnapshotId"),
        below.as_str().unwrap()
    );
    assert_eq!(actions(&calls).iter().filter(|action| **action == "RunInstances").count(), 1);
    assert_eq!(lab.instances(), [""; 0]);
    let names = lab.boto("[i['Name'] for i in ec2.describe_images(Owners=['self'])['Images']]");
    assert!(!names.to_string().contains("temporary"), "what was launched from goes: {names}");
}

#[test]
fn a_failing_layer_leaves_those_below_usable_and_the_retry_begins_there() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let image = |script: &str| {
        let layer = |name: &str, script: &str| Layer::new(name).step(step::run(script));
        project
            .debian("fragile")
            .layer(layer("one", "echo 1 >/etc/one"))
            .layer(layer("two", "echo 2 >/etc/two"))
            .layer(layer("three", script))
    };
    let failed = project.bake(image("echo so far; cat /etc/two /etc/missing"));
    assert_eq!(failed.code, Some(1));
    let failure = failed.failure();
    assert!(failure["message"].as_str().unwrap().contains("status 1"), "{failure}");
    assert!(failure["origin"]["line"].is_u64(), "{failure}");
    let output = failure["output"].to_string();
    assert!(output.contains("so far") && output.contains("/etc/missing"), "{output}");
    assert_eq!(lab.instances(), [""; 0], "the machine of a failed layer goes");
    let retried = project.bake(image("cat /etc/one /etc/two"));
    assert_eq!(retried.layers("step"), ["three"]);
    assert_eq!(retried.counts(), (2, 3, 0), "{}", retried.stdout);
}
