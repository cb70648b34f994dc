//! A life from nothing to nothing, also in bad weather; what reading it costs.

use super::cloud::{self, Lab};
use super::shop::{self, Shop, TWO, get, healthy, live};
use kiln::LoadBalancerKind;
use kiln_engine::driver::{Capacity, Deployer as _, Generation, Waited};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[test]
fn a_deployment_lives_behind_a_balancer_and_leaves_nothing() {
    let lab = Lab::up(&[]);
    let ((), calls) = lab.calls_of(|| live(&lab, "life::balanced"));
    assert_eq!(lab.instances(), Vec::<String>::new());
    let allowed = include_str!("../../../../docs/deployments.md");
    let allowed = allowed.split("## What the account must allow").nth(1).unwrap();
    // That of the test itself.
    let asked = calls.iter().filter(|(action, _)| action != "GetParameter");
    let missing: BTreeSet<&String> = asked
        .map(|(action, _)| action)
        .filter(|action| !allowed.contains(&format!("`{action}`")))
        .collect();
    assert!(missing.is_empty(), "docs/deployments.md does not list {missing:?}");
    let left = "[[t['LaunchTemplateName'] for t in ec2.describe_launch_templates()['LaunchTemplates']], [g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'].startswith('kiln')], boto3.client('elbv2').describe_target_groups()['TargetGroups'], boto3.client('elbv2').describe_load_balancers()['LoadBalancers'], boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']]";
    assert_eq!(lab.boto(left), json!([[], [], [], [], []]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn balanced() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    assert_eq!(shop.deployer.observe().await.unwrap(), []);
    let one = shop::shop("one", Some(LoadBalancerKind::Application));
    shop.prepare(&one, 1).await;
    let declared = shop.deployer.declared(&one, &shop.image);
    assert_eq!(shop.observed().await.front, declared.front);
    shop.launch(&one, 1).await;
    // As the next one does when this one was killed here.
    shop.launch(&one, 1).await;
    shop.healthy(&one, 1, false).await;
    shop.attach(&one, 1).await;
    shop.healthy(&one, 1, true).await;
    let seen = shop.observed().await;
    let first = &seen.generations[0];
    assert_eq!((&first.launch, &first.running), (&declared.launch, &declared.running));
    assert_eq!((first.capacity, first.attached, healthy(first)), (TWO, true, 2));
    let url = seen.outputs["url"].clone();
    assert_eq!(get(&url), "one");

    let two = shop::shop("two", Some(LoadBalancerKind::Application));
    assert_ne!(shop.deployer.declared(&two, &shop.image).launch, declared.launch);
    shop.prepare(&two, 2).await;
    shop.launch(&two, 2).await;
    shop.healthy(&two, 2, false).await;
    shop.attach(&two, 2).await;
    shop.healthy(&two, 2, true).await;
    // Before the switch nobody gets the new version, after it nobody the old one.
    assert_eq!((0..20).map(|_| get(&url)).collect::<Vec<_>>(), vec!["one"; 20]);
    shop.detach(&two, 1).await;
    assert_eq!((0..20).map(|_| get(&url)).collect::<Vec<_>>(), vec!["two"; 20]);
    let seen = shop.observed().await;
    let attached: Vec<bool> = seen.generations.iter().map(|one| one.attached).collect();
    assert_eq!(attached, [false, true]);

    // Back, and forth.
    shop.attach(&one, 1).await;
    shop.healthy(&one, 1, true).await;
    shop.detach(&one, 2).await;
    assert_eq!(get(&url), "one");

    let mut tagged = one.clone();
    tagged.tags = BTreeMap::from([("cost".into(), "42".into())]);
    let three = Capacity { min: 1, desired: 1, max: 3 };
    shop.deployer.resize(&tagged, 1, three).await.unwrap();
    let seen = shop.observed().await;
    assert_eq!(seen.generations[0].capacity, three);
    assert_eq!(seen.generations[0].running, shop.deployer.declared(&tagged, "").running);
    shop.deployer.remove("shop", 2, &|_| {}).await.unwrap();
    shop.say("removed generation 2");
    assert_eq!(shop.observed().await.generations.len(), 1);
    shop.destroy().await;
}

#[test]
fn servers_that_have_not_been_read_yet_are_not_taken_for_ill_while_they_soak() {
    let lab = Lab::up(&[]);
    live(&lab, "life::soaking");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn soaking() {
    for balancer in [None, Some(LoadBalancerKind::Network)] {
        let store = tempfile::tempdir().unwrap();
        let shop = Shop::open(store.path()).await;
        let declared = shop::shop("one", balancer);
        shop.prepare(&declared, 1).await;
        shop.launch(&declared, 1).await;
        shop.healthy(&declared, 1, false).await;
        shop.attach(&declared, 1).await;
        shop.healthy(&declared, 1, true).await;
        let is_ill = |seen: Option<&Generation>| seen.is_some_and(|seen| healthy(seen) < 2);
        let soak = Duration::from_secs(2);
        let soaked = shop.deployer.watch(&declared, 1, soak, &is_ill).await.unwrap();
        assert!(matches!(soaked, Waited::OutOfTime(Some(_))), "{soaked:?}");
        // Somebody who has never looked at them before does not take them for ill either.
        let other = Shop::open(store.path()).await;
        let soaked = other.deployer.watch(&declared, 1, soak, &is_ill).await.unwrap();
        assert!(matches!(soaked, Waited::OutOfTime(Some(_))), "{soaked:?}");
        shop.destroy().await;
    }
}

#[test]
fn bad_weather_makes_a_life_longer_and_nothing_else() {
    let lab = Lab::up(&[]);
    lab.misbehave(&cloud::bad_weather(7));
    live(&lab, "life::balanced");
    lab.misbehave(&json!({ "throttle": 0.0, "visibility": 0.0 }));
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[test]
fn reading_what_runs_costs_a_call_of_each_kind() {
    let lab = Lab::up(&[]);
    let actions = |life: &str| {
        let ((), calls) = lab.calls_of(|| live(&lab, life));
        let mut actions: Vec<String> = calls.into_iter().map(|(action, _)| action).collect();
        actions.retain(|action| action != "GetParameter");
        actions.sort();
        actions
    };
    let nothing = ["DescribeAutoScalingGroups", "DescribeInstances", "DescribeSecurityGroups"];
    assert_eq!(actions("life::looking"), nothing);
    live(&lab, "life::standing");
    let all = [
        "DescribeAutoScalingGroups",
        "DescribeInstances",
        "DescribeLoadBalancers",
        "DescribeSecurityGroups",
        "DescribeTargetGroups",
        "DescribeTargetHealth",
    ];
    assert_eq!(actions("life::looking"), all);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn looking() {
    let store = tempfile::tempdir().unwrap();
    Shop::open(store.path()).await.deployer.observe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn standing() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let declared = shop::shop("one", Some(LoadBalancerKind::Application));
    shop.prepare(&declared, 1).await;
    shop.launch(&declared, 1).await;
    shop.attach(&declared, 1).await;
    shop.healthy(&declared, 1, true).await;
}
