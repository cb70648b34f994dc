//! What stands before servers changes together with them: the old ones serve as before until the new ones have the
//! traffic, asked with another check, or in another network.

use super::cloud::Lab;
use super::shop::{self, Shop, get, healthy, live};
use kiln::{DeploymentNode, HealthCheck, LoadBalancerKind, TargetNode};
use kiln_engine::driver::Deployer as _;
use serde_json::json;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two requests of those without end.
const BETWEEN: Duration = Duration::from_millis(5);

/// Where servers of the second kind are asked, and no others answer.
const READY: &str = "/ready";

fn one() -> DeploymentNode {
    shop::shop("one", Some(LoadBalancerKind::Application))
}

fn asked_otherwise(mut node: DeploymentNode) -> DeploymentNode {
    let health = node.health.as_mut().unwrap();
    health.check = HealthCheck::Http { port: 80, path: READY.into(), status: 200 };
    node
}

fn two() -> DeploymentNode {
    let mut two = asked_otherwise(shop::shop("two", Some(LoadBalancerKind::Application)));
    let TargetNode::Ec2(target) = &mut two.target;
    let serve = target.user_data.as_mut().unwrap();
    *serve = serve.replace("for port", &format!("echo yes >/srv/www{READY}\nfor port"));
    two
}

/// Requests without end, each of which must be answered by somebody.
fn asking(url: &str) -> (Sender<()>, JoinHandle<usize>) {
    let (done, is_done) = channel();
    let url = url.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let mut answers = 0;
        // Each is a connection of its own, of which there are only so many a minute. It ends with the test, too.
        while is_done.recv_timeout(BETWEEN) == Err(RecvTimeoutError::Timeout) {
            assert!(["one", "two"].contains(&get(&url).as_str()));
            answers += 1;
        }
        answers
    });
    (done, asking)
}

async fn count(shop: &Shop, kind: &str) -> usize {
    let all = shop.deployer.belongings("shop").await.unwrap();
    all.iter().filter(|one| one.kind == kind).count()
}

async fn begin(shop: &Shop) -> (String, Vec<String>) {
    let one = one();
    shop.prepare(&one, 1).await;
    shop.launch(&one, 1).await;
    shop.attach(&one, 1).await;
    shop.healthy(&one, 1, true).await;
    let seen = shop.observed().await;
    let servers = seen.generations[0].servers.iter().map(|server| server.id.clone()).collect();
    (seen.outputs["url"].clone(), servers)
}

#[test]
fn servers_are_not_judged_by_a_check_that_they_were_not_made_for() {
    let lab = Lab::up(&[]);
    live(&lab, "moves::checked");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn checked() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let (url, servers) = begin(&shop).await;
    let (done, asked) = asking(&url);

    // A check alone that they do not answer is refused, and they serve on.
    let mut unfit = asked_otherwise(one());
    unfit.health.as_mut().unwrap().within_ms = 6_000;
    let error = shop.deployer.settle(&unfit, 1, &|line| shop.say(line)).await.unwrap_err();
    assert!(error.help_text().unwrap().contains("together with it"), "{error}");
    shop.say(&error.to_string());
    let seen = shop.observed().await;
    assert!(seen.front.contains_key("left_over"), "{:?}", seen.front);
    assert_eq!(healthy(&seen.generations[0]), 2);
    shop.settle(&one(), 1).await;
    assert_eq!(shop.observed().await.front, shop.deployer.declared(&one(), "").front);

    // With servers that answer it, they serve until those have the traffic.
    shop.prepare(&two(), 2).await;
    shop.launch(&two(), 2).await;
    shop.healthy(&two(), 2, false).await;
    shop.attach(&two(), 2).await;
    shop.healthy(&two(), 2, true).await;
    assert_eq!((0..20).map(|_| get(&url)).collect::<Vec<_>>(), vec!["one"; 20]);
    assert!(shop.deployer.share(&two(), 2).await.unwrap());
    // A load balancer takes its time until it forwards as it was told.
    let begun = Instant::now();
    while get(&url) == "one" {
        assert!(begun.elapsed().as_secs() < 30, "the new ones get nothing");
    }
    let answers: Vec<String> = (0..20).map(|_| get(&url)).collect();
    assert!(["one", "two"].iter().all(|text| answers.iter().any(|one| one == text)), "{answers:?}");
    shop.detach(&two(), 1).await;
    assert_eq!((0..20).map(|_| get(&url)).collect::<Vec<_>>(), vec!["two"; 20]);
    shop.settle(&two(), 2).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&two(), "").front);
    let left: Vec<String> = seen.generations[0].servers.iter().map(|one| one.id.clone()).collect();
    assert_eq!(left, servers, "somebody has replaced them");
    assert_eq!(count(&shop, "target group").await, 1);

    // Back to servers that are asked as they were; and what is given up leaves nothing.
    shop.prepare(&one(), 1).await;
    shop.attach(&one(), 1).await;
    shop.healthy(&one(), 1, true).await;
    assert!(shop.deployer.share(&one(), 1).await.unwrap());
    // Who gives it up may declare a third check, for which nothing is there.
    let mut third = one();
    third.health.as_mut().unwrap().unhealthy = 9;
    let begun = Instant::now();
    shop.detach(&third, 1).await;
    assert!(begun.elapsed().as_secs() < 60);
    assert_eq!((0..20).map(|_| get(&url)).collect::<Vec<_>>(), vec!["two"; 20]);
    shop.settle(&two(), 2).await;
    assert_eq!(shop.observed().await.front, shop.deployer.declared(&two(), "").front);
    done.send(()).unwrap();
    shop.say(&format!("{} requests, all answered", asked.await.unwrap()));
    shop.destroy().await;
}

#[test]
fn a_deployment_behind_a_balancer_moves_to_another_network() {
    let mut lab = Lab::up(&[]);
    lab.boto("ec2.create_vpc(CidrBlock=ec2.describe_vpcs()['Vpcs'][0]['CidrBlock'])");
    let subnets = lab.boto(
        "[(lambda v, s: ec2.create_subnet(VpcId=v, CidrBlock=s['CidrBlock'], AvailabilityZone=s['AvailabilityZone'])['Subnet']['SubnetId'])([v['VpcId'] for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']][0], s) for s in ec2.describe_subnets()['Subnets'][:2]]",
    );
    lab.environment.push(("KILN_TEST_SUBNETS".into(), subnets.to_string()));
    live(&lab, "moves::networks");
    assert_eq!(lab.instances(), Vec::<String>::new());
    let left = "[g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'].startswith('kiln')]";
    assert_eq!(lab.boto(left), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn networks() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let (url, _) = begin(&shop).await;
    let (done, asked) = asking(&url);
    let mut two = shop::shop("two", Some(LoadBalancerKind::Application));
    let TargetNode::Ec2(target) = &mut two.target;
    let subnets = std::env::var("KILN_TEST_SUBNETS").unwrap();
    target.subnets = serde_json::from_str(&subnets).unwrap();
    shop.prepare(&two, 2).await;
    assert_eq!(count(&shop, "load balancer").await, 2);
    shop.launch(&two, 2).await;
    shop.healthy(&two, 2, false).await;
    shop.attach(&two, 2).await;
    shop.healthy(&two, 2, true).await;
    assert!(!shop.deployer.share(&two, 2).await.unwrap());
    // Until here the old ones answer where they did.
    done.send(()).unwrap();
    shop.say(&format!("{} requests, all answered", asked.await.unwrap()));
    shop.detach(&two, 1).await;
    shop.settle(&two, 2).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&two, "").front);
    assert_ne!(seen.outputs["url"], url);
    assert_eq!(get(&seen.outputs["url"]), "two");
    for (kind, of) in [("load balancer", 1), ("target group", 1), ("security group", 3)] {
        assert_eq!(count(&shop, kind).await, of, "{kind}");
    }
    // What is kept of the old network goes with its last servers, when the front changes next.
    shop.deployer.remove("shop", 1, &|_| {}).await.unwrap();
    shop.destroy().await;
}

#[test]
fn what_a_removal_that_ended_half_way_has_left_is_found_and_removed() {
    let lab = Lab::up(&[]);
    live(&lab, "life::standing");
    lab.boto("ec2.delete_tags(Resources=[g['GroupId'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'].endswith('-balancer')], Tags=[{'Key': 'kiln:deployment'}])");
    let taken = lab.boto(&format!("boto3.client('autoscaling').detach_instances(AutoScalingGroupName='{}', InstanceIds=[ec2.describe_instances()['Reservations'][0]['Instances'][0]['InstanceId']], ShouldDecrementDesiredCapacity=False)['ResponseMetadata']['HTTPStatusCode']", shop::GROUP));
    assert_eq!(taken, 200);
    let ((), calls) = lab.calls_of(|| live(&lab, "moves::half_removed"));
    let first = |action: &str| calls.iter().position(|(called, _)| called == action).unwrap();
    // Whoever dies in between has left the group, by which the rest is found.
    assert!(first("DeleteLaunchTemplate") < first("DeleteAutoScalingGroup"));
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn half_removed() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    shop.deployer.remove("shop", 1, &|_| {}).await.unwrap();
    // Nothing but its name says of a load balancer whose it is.
    for (kind, of) in [("load balancer", 1), ("target group", 1), ("launch template", 0)] {
        assert_eq!(count(&shop, kind).await, of, "{kind}");
    }
    let begun = Instant::now();
    shop.destroy().await;
    assert!(begun.elapsed().as_secs() < 120);
}
