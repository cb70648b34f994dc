//! What does not start, or does not get healthy, and why.

use super::cloud::Lab;
use super::shop::{self, Shop, TWO, WITHIN, healthy, live, origin};
use kiln::{DeploymentNode, TargetNode};
use kiln_engine::driver::{Deployer as _, Launch, ServerHealth, Waited};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn what_cannot_start_is_told_soon_with_the_reason() {
    let lab = Lab::up(&[]);
    lab.misbehave(&json!({ "no_capacity": ["t3.micro"] }));
    live(&lab, "failures::starved");
    lab.misbehave(&json!({ "no_capacity": [] }));
    live(&lab, "failures::sick");
    live(&lab, "failures::mistaken");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn starved() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let declared = shop::shop("one", None);
    shop.prepare(&declared, 1).await;
    shop.launch(&declared, 1).await;
    let begun = Instant::now();
    let error = shop.deployer.watch(&declared, 1, WITHIN, &|_| false).await.unwrap_err();
    shop.say(&format!("{error}: {:?}", error.help_text()));
    assert!(begun.elapsed() < WITHIN / 2, "{:?}", begun.elapsed());
    assert!(error.help_text().unwrap().contains("try again later"));
    assert_eq!(error.origin(), Some(&origin()));
    shop.deployer.remove("shop", 1, &|_| {}).await.unwrap();
    shop.destroy().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn sick() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let mut declared = shop::shop("one", None);
    let TargetNode::Ec2(target) = &mut declared.target;
    target.user_data = Some("#!/bin/sh\nsystemd-run python3 -m http.server 8080\n".into());
    shop.prepare(&declared, 1).await;
    shop.launch(&declared, 1).await;
    let within = Duration::from_secs(15);
    let seen = shop
        .deployer
        .watch(&declared, 1, within, &|seen| seen.is_some_and(|seen| healthy(seen) > 0));
    let Waited::OutOfTime(Some(seen)) = seen.await.unwrap() else { panic!("it is healthy") };
    let why = ServerHealth::Unhealthy("nothing listens on port 80".into());
    assert_eq!(seen.servers.iter().map(|one| one.health.clone()).collect::<Vec<_>>(), vec![why; 2]);
    assert!(!shop.deployer.console(&seen.servers[0].id).await.is_empty());
    shop.destroy().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn mistaken() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let mut declared = shop::shop("one", None);
    let launch = |declared: &DeploymentNode, image: &str| {
        let (deployer, declared, image) =
            (shop.deployer.clone(), declared.clone(), image.to_owned());
        async move {
            let launch =
                Launch { deployment: &declared, generation: 1, image: &image, capacity: TWO };
            deployer.launch(&launch, &|_| {}).await.unwrap_err()
        }
    };
    let error = launch(&declared, "ami-0123456789abcdef0").await;
    assert!(error.help_text().unwrap().contains("bake"), "{error}");
    let TargetNode::Ec2(target) = &mut declared.target;
    target.subnets = vec!["subnet-0123456789abcdef0".into()];
    let error = launch(&declared, &shop.image).await;
    assert!(error.help_text().unwrap().contains("subnets of this region"), "{error}");
    let error = shop.deployer.prepare(&declared, 1, &|_| {}).await.unwrap_err();
    assert_eq!(error.origin(), Some(&origin()), "{error}");
    let TargetNode::Ec2(target) = &mut declared.target;
    (target.subnets, target.instance_type) = (Vec::new(), "t9.huge".into());
    let error = launch(&declared, &shop.image).await;
    assert!(error.to_string().contains("`t9.huge` is not offered"), "{error}");
    shop.destroy().await;
}
