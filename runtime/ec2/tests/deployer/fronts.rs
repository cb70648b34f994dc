//! What stands before servers changes, as declared or by hand.

use super::cloud::Lab;
use super::shop::{self, GROUP, Shop, TWO, get, live};
use kiln::{LoadBalancer, LoadBalancerKind, TargetNode};
use kiln_engine::driver::Deployer as _;

#[test]
fn what_stands_before_servers_changes_while_they_serve() {
    live(&Lab::up(&[]), "fronts::changing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn changing() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    // Nobody stands before them at first: their addresses are what there is.
    let mut declared = shop::shop("one", None);
    let TargetNode::Ec2(target) = &mut declared.target;
    (target.volume, target.public_address) = (Some(kiln::Volume::new().size(12)), Some(true));
    shop.prepare(&declared, 1).await;
    shop.launch(&declared, 1).await;
    shop.healthy(&declared, 1, false).await;
    shop.attach(&declared, 1).await;
    shop.healthy(&declared, 1, true).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&declared, "").front);
    for address in seen.outputs["addresses"].split(", ") {
        assert_eq!(get(&format!("http://{address}")), "one");
    }

    declared = shop::shop("one", Some(LoadBalancerKind::Application));
    let url = shop.mended(&declared).await;
    assert_eq!(get(&url), "one");

    // Another port of servers, another check, another drain time: under requests.
    let LoadBalancer::Made(made) = declared.load_balancer.as_mut().unwrap() else { panic!() };
    (made.to, made.drain_ms) = (8080, 1000);
    made.from = vec!["172.16.0.0/12".into(), "10.0.0.0/8".into()];
    let (done, mut is_done) = tokio::sync::oneshot::channel();
    let asked = url.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let mut answers = 0;
        while is_done.try_recv().is_err() {
            assert_eq!(get(&asked), "one");
            answers += 1;
        }
        answers
    });
    assert_eq!(shop.mended(&declared).await, url);
    done.send(()).unwrap();
    shop.say(&format!("{} requests, all answered", asking.await.unwrap()));

    // A balancer of another kind takes the place of this one.
    let LoadBalancer::Made(made) = declared.load_balancer.as_mut().unwrap() else { panic!() };
    (made.kind, made.listen) = (LoadBalancerKind::Network, 81);
    let url = shop.mended(&declared).await;
    assert_eq!(get(&format!("http://{url}")), "one");
    let balancers = shop.deployer.belongings("shop").await.unwrap();
    assert_eq!(balancers.iter().filter(|one| one.kind == "load balancer").count(), 1);
    assert_eq!(balancers.iter().filter(|one| one.kind == "target group").count(), 1);

    let declared = shop::shop("one", None);
    shop.settle(&declared, 1).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&declared, "").front);
    assert!(seen.generations[0].attached);
    shop.destroy().await;
}

#[test]
fn what_somebody_changes_by_hand_is_seen_and_mended() {
    let lab = Lab::up(&[]);
    live(&lab, "life::standing");
    let by_hand = |call: &str| {
        lab.boto(&format!("[(lambda a, g, e: {call})(boto3.client('autoscaling'), '{GROUP}', boto3.client('elbv2')), 1][1]"))
    };
    by_hand(
        "a.detach_load_balancer_target_groups(AutoScalingGroupName=g, TargetGroupARNs=[e.describe_target_groups()['TargetGroups'][0]['TargetGroupArn']])",
    );
    by_hand(
        "a.update_auto_scaling_group(AutoScalingGroupName=g, MinSize=1, DesiredCapacity=1, MaxSize=1)",
    );
    by_hand(
        "a.create_or_update_tags(Tags=[{'ResourceType': 'auto-scaling-group', 'ResourceId': g, 'Key': 'team', 'Value': 'thieves', 'PropagateAtLaunch': True}])",
    );
    by_hand(
        "ec2.authorize_security_group_ingress(GroupId=[s['GroupId'] for s in ec2.describe_security_groups()['SecurityGroups'] if s['GroupName'].endswith('-servers')][0], IpProtocol='tcp', FromPort=22, ToPort=22, CidrIp='0.0.0.0/0')",
    );
    by_hand(
        "e.modify_target_group(TargetGroupArn=e.describe_target_groups()['TargetGroups'][0]['TargetGroupArn'], HealthCheckPath='/nowhere')",
    );
    live(&lab, "fronts::drifted");
    by_hand(
        "e.delete_load_balancer(LoadBalancerArn=e.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn'])",
    );
    live(&lab, "fronts::unbalanced");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn drifted() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let node = shop::shop("one", Some(LoadBalancerKind::Application));
    let declared = shop.deployer.declared(&node, &shop.image);
    let seen = shop.observed().await;
    assert_eq!(seen.front["ports"], "22, 80, 8080");
    assert!(seen.front["health_check"].contains("/nowhere"));
    let first = &seen.generations[0];
    assert_eq!((first.capacity.desired, first.attached), (1, false));
    let team = &first.running["tag team"];
    assert!(team.starts_with("thieves, but shop on i-"), "{team}");
    assert_eq!(first.launch, declared.launch);
    shop.prepare(&node, 1).await;
    shop.deployer.resize(&node, 1, TWO).await.unwrap();
    shop.attach(&node, 1).await;
    shop.healthy(&node, 1, true).await;
    shop.is_as_declared(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn unbalanced() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let node = shop::shop("one", Some(LoadBalancerKind::Application));
    let seen = shop.observed().await;
    assert!(!seen.front.contains_key("load_balancer"), "{seen:#?}");
    shop.settle(&node, 1).await;
    shop.healthy(&node, 1, true).await;
    shop.is_as_declared(&node).await;
    shop.destroy().await;
}
