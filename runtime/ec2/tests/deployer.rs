//! The deployer in labs: a deployment's whole life, on groups and balancers that are real.
//!
//! Needs what the host's tests in labs need. A test's deployer lives in a process of its own, whose environment names
//! the test's lab: this program again, with the one test that no other run takes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "../../host-ec2/tests/lab/cloud.rs"]
#[allow(dead_code, reason = "the host's tests use all of it")]
mod cloud;

use cloud::Lab;
use kiln::{
    DeploymentNode, Ec2Target, Health, HealthCheck, LoadBalancer, LoadBalancerKind,
    NewLoadBalancer, Origin, Replicas, Strategy, TargetNode,
};
use kiln_ec2::Place;
use kiln_engine::driver::{
    Capacity, Deployer as _, Generation, Launch, Observed, ServerHealth, Waited,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(120);

fn origin() -> Origin {
    Origin { file: "recipes/src/lib.rs".into(), line: 7, column: 3 }
}

/// Two servers that answer with a text, on two ports.
fn shop(answer: &str, balancer: Option<LoadBalancerKind>) -> DeploymentNode {
    let serve = format!(
        "#!/bin/sh\nmkdir -p /srv/www\necho {answer} >/srv/www/index.html\nfor port in 80 8080; do systemd-run python3 -m http.server $port -d /srv/www; done\n"
    );
    DeploymentNode {
        name: "shop".into(),
        doc: String::new(),
        origin: origin(),
        image: 0,
        target: TargetNode::Ec2(Ec2Target {
            origin: origin(),
            region: None,
            instance_type: "t3.micro".into(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            instance_profile: None,
            volume: None,
            user_data: Some(serve),
            public_address: None,
        }),
        replicas: Replicas { min: 2, desired: 2, max: 2 },
        ports: vec![80, 8080],
        health: Some(Health {
            origin: origin(),
            check: HealthCheck::Http { port: 80, path: "/".into(), status: 200 },
            interval_ms: 1000,
            timeout_ms: 1000,
            healthy: 2,
            unhealthy: 2,
            within_ms: 120_000,
            soak_ms: 0,
        }),
        strategy: Strategy::RedBlack { keep_previous: 1 },
        load_balancer: balancer.map(|kind| {
            LoadBalancer::Made(NewLoadBalancer {
                origin: origin(),
                kind,
                listen: 80,
                to: 80,
                certificate: None,
                internal: false,
                subnets: Vec::new(),
                from: vec!["0.0.0.0/0".into()],
                drain_ms: 2000,
            })
        }),
        tags: BTreeMap::from([("team".into(), "shop".into())]),
    }
}

const TWO: Capacity = Capacity { min: 2, desired: 2, max: 2 };

struct Shop {
    deployer: kiln_ec2::Deployer,
    image: String,
    begun: Instant,
}

impl Shop {
    async fn open(store: &Path) -> Self {
        let (_, interrupted) = tokio::sync::watch::channel(false);
        let region = std::env::var("AWS_REGION").unwrap();
        let place = Place {
            store,
            project: Path::new("/srv/shop/recipes"),
            region: &region,
            architecture: "amd64",
            interrupted,
        };
        let deployer = kiln_ec2::Deployer::open(place).await.unwrap();
        Self { deployer, image: std::env::var("KILN_TEST_IMAGE").unwrap(), begun: Instant::now() }
    }

    fn say(&self, what: &str) {
        println!("{:7.2} {what}", self.begun.elapsed().as_secs_f64());
    }

    async fn observed(&self) -> Observed {
        let mut all = self.deployer.observe().await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    async fn launch(&self, deployment: &DeploymentNode, generation: u32) {
        let launch = Launch { deployment, generation, image: &self.image, capacity: TWO };
        self.deployer.launch(&launch, &|line| self.say(line)).await.unwrap();
    }

    /// Waits until so many servers of a generation are healthy.
    async fn healthy(&self, deployment: &DeploymentNode, number: u32, attached: bool) {
        let enough = |seen: Option<&Generation>| {
            seen.is_some_and(|seen| seen.attached == attached && healthy(seen) == 2)
        };
        match self.deployer.watch(deployment, number, WITHIN, &enough).await.unwrap() {
            Waited::Seen(_) => {
                self.say(&format!("generation {number} is healthy, attached: {attached}"))
            }
            Waited::OutOfTime(seen) => panic!("not healthy: {seen:#?}"),
        }
    }

    async fn prepare(&self, deployment: &DeploymentNode) {
        self.deployer.prepare(deployment, &|line| self.say(line)).await.unwrap();
        self.say("prepared");
    }

    async fn attach(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.attach(deployment, generation).await.unwrap();
    }

    async fn detach(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.detach(deployment, generation, &|line| self.say(line)).await.unwrap();
        self.say(&format!("generation {generation} has drained"));
    }

    async fn destroy(&self) {
        self.deployer.destroy("shop", &|line| self.say(line)).await.unwrap();
        assert_eq!(self.deployer.belongings("shop").await.unwrap(), []);
        assert_eq!(self.deployer.observe().await.unwrap(), []);
        self.say("destroyed");
    }
}

fn healthy(generation: &Generation) -> usize {
    generation.servers.iter().filter(|server| server.health == ServerHealth::Healthy).count()
}

/// What a URL answers.
fn get(url: &str) -> String {
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap().trim().to_owned()
}

/// Runs one of the lives below in a process of its own.
fn live(lab: &Lab, life: &str) {
    let image = "boto3.client('ssm').get_parameter(Name='/aws/service/debian/release/12/latest/amd64')['Parameter']['Value']";
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", life, "--ignored", "--nocapture"])
        .envs(lab.environment.iter().cloned())
        .env("KILN_TEST_IMAGE", lab.boto(image).as_str().unwrap())
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
fn a_deployment_lives_behind_a_balancer_and_leaves_nothing() {
    let lab = Lab::up(&[]);
    live(&lab, "balanced");
    assert_eq!(lab.instances(), Vec::<String>::new());
    let left = "[[t['LaunchTemplateName'] for t in ec2.describe_launch_templates()['LaunchTemplates']], [g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'].startswith('kiln')], boto3.client('elbv2').describe_target_groups()['TargetGroups'], boto3.client('elbv2').describe_load_balancers()['LoadBalancers'], boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']]";
    assert_eq!(lab.boto(left), json!([[], [], [], [], []]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn balanced() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    assert_eq!(shop.deployer.observe().await.unwrap(), []);
    let one = self::shop("one", Some(LoadBalancerKind::Application));
    shop.prepare(&one).await;
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

    let two = self::shop("two", Some(LoadBalancerKind::Application));
    assert_ne!(shop.deployer.declared(&two, &shop.image).launch, declared.launch);
    shop.prepare(&two).await;
    shop.launch(&two, 2).await;
    shop.healthy(&two, 2, false).await;
    shop.attach(&two, 2).await;
    shop.healthy(&two, 2, true).await;
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
fn bad_weather_makes_a_life_longer_and_nothing_else() {
    let lab = Lab::up(&[]);
    lab.misbehave(&cloud::bad_weather(7));
    live(&lab, "balanced");
    lab.misbehave(&json!({ "throttle": 0.0, "visibility": 0.0 }));
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[test]
fn what_stands_before_servers_changes_while_they_serve() {
    live(&Lab::up(&[]), "changing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn changing() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    // Nobody stands before them at first: their addresses are what there is.
    let mut declared = self::shop("one", None);
    let TargetNode::Ec2(target) = &mut declared.target;
    (target.volume, target.public_address) = (Some(kiln::Volume::new().size(12)), Some(true));
    shop.prepare(&declared).await;
    shop.launch(&declared, 1).await;
    shop.healthy(&declared, 1, false).await;
    shop.attach(&declared, 1).await;
    shop.healthy(&declared, 1, true).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&declared, "").front);
    for address in seen.outputs["addresses"].split(", ") {
        assert_eq!(get(&format!("http://{address}")), "one");
    }

    declared = self::shop("one", Some(LoadBalancerKind::Application));
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

    let declared = self::shop("one", None);
    shop.prepare(&declared).await;
    let seen = shop.observed().await;
    assert_eq!(seen.front, shop.deployer.declared(&declared, "").front);
    assert!(seen.generations[0].attached);
    shop.destroy().await;
}

impl Shop {
    /// Makes the front as declared, and says where it is.
    async fn mended(&self, declared: &DeploymentNode) -> String {
        self.prepare(declared).await;
        let seen = self.observed().await;
        assert_eq!(seen.front, self.deployer.declared(declared, "").front);
        self.healthy(declared, 1, true).await;
        seen.outputs["url"].clone()
    }
}

#[test]
fn what_cannot_start_is_told_soon_with_the_reason() {
    let lab = Lab::up(&[]);
    lab.misbehave(&json!({ "no_capacity": ["t3.micro"] }));
    live(&lab, "starved");
    lab.misbehave(&json!({ "no_capacity": [] }));
    live(&lab, "sick");
    live(&lab, "mistaken");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn starved() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let declared = self::shop("one", None);
    shop.prepare(&declared).await;
    shop.launch(&declared, 1).await;
    let begun = Instant::now();
    let error = shop.deployer.watch(&declared, 1, WITHIN, &|_| false).await.unwrap_err();
    shop.say(&format!("{error}: {:?}", error.help_text()));
    assert!(begun.elapsed() < Duration::from_secs(30));
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
    let mut declared = self::shop("one", None);
    let TargetNode::Ec2(target) = &mut declared.target;
    target.user_data = Some("#!/bin/sh\nsystemd-run python3 -m http.server 8080\n".into());
    shop.prepare(&declared).await;
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
    let mut declared = self::shop("one", None);
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
    let error = shop.deployer.prepare(&declared, &|_| {}).await.unwrap_err();
    assert_eq!(error.origin(), Some(&origin()), "{error}");
    let TargetNode::Ec2(target) = &mut declared.target;
    (target.subnets, target.instance_type) = (Vec::new(), "t9.huge".into());
    let error = launch(&declared, &shop.image).await;
    assert!(error.to_string().contains("`t9.huge` is not offered"), "{error}");
    shop.destroy().await;
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
    assert_eq!(actions("looking"), nothing);
    live(&lab, "standing");
    let all = [
        "DescribeAutoScalingGroups",
        "DescribeInstances",
        "DescribeLoadBalancers",
        "DescribeSecurityGroups",
        "DescribeTargetGroups",
        "DescribeTargetHealth",
    ];
    assert_eq!(actions("looking"), all);
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
    let declared = self::shop("one", Some(LoadBalancerKind::Application));
    shop.prepare(&declared).await;
    shop.launch(&declared, 1).await;
    shop.attach(&declared, 1).await;
    shop.healthy(&declared, 1, true).await;
}

#[test]
fn what_somebody_changes_by_hand_is_seen_and_mended() {
    let lab = Lab::up(&[]);
    live(&lab, "standing");
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
    live(&lab, "drifted");
    by_hand(
        "e.delete_load_balancer(LoadBalancerArn=e.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn'])",
    );
    live(&lab, "unbalanced");
    assert_eq!(lab.instances(), Vec::<String>::new());
}

/// The first generation of the shop.
const GROUP: &str = "kiln-shop-recipes-shop-685b5f-g001";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of another test, in its lab"]
async fn drifted() {
    let store = tempfile::tempdir().unwrap();
    let shop = Shop::open(store.path()).await;
    let node = self::shop("one", Some(LoadBalancerKind::Application));
    let declared = shop.deployer.declared(&node, &shop.image);
    let seen = shop.observed().await;
    assert_eq!(seen.front["ports"], "22, 80, 8080");
    assert!(seen.front["health_check"].contains("/nowhere"));
    let first = &seen.generations[0];
    assert_eq!((first.capacity.desired, first.attached), (1, false));
    assert_eq!(first.running["tag team"], "thieves");
    assert_eq!(first.launch, declared.launch);
    shop.prepare(&node).await;
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
    let node = self::shop("one", Some(LoadBalancerKind::Application));
    let seen = shop.observed().await;
    assert!(!seen.front.contains_key("load_balancer"), "{seen:#?}");
    shop.prepare(&node).await;
    shop.healthy(&node, 1, true).await;
    shop.is_as_declared(&node).await;
    shop.destroy().await;
}

impl Shop {
    async fn is_as_declared(&self, node: &DeploymentNode) {
        let declared = self.deployer.declared(node, &self.image);
        let seen = self.observed().await;
        assert_eq!(seen.front, declared.front);
        let first = &seen.generations[0];
        assert_eq!((&first.launch, &first.running), (&declared.launch, &declared.running));
        assert_eq!((first.capacity, first.attached, healthy(first)), (TWO, true, 2));
        assert_eq!(get(&seen.outputs["url"]), "one");
    }
}
