//! A shop with two servers, and what its deployer is asked to do.

use super::cloud::Lab;
use kiln::{
    DeploymentNode, Ec2Target, Health, HealthCheck, LoadBalancer, LoadBalancerKind,
    NewLoadBalancer, Origin, Replicas, Strategy, TargetNode,
};
use kiln_ec2::Place;
use kiln_engine::driver::{
    Capacity, Deployer as _, Generation, Launch, Observed, ServerHealth, Waited,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub const WITHIN: Duration = Duration::from_secs(120);

pub fn origin() -> Origin {
    Origin { file: "recipes/src/lib.rs".into(), line: 7, column: 3 }
}

/// Two servers that answer with a text, on two ports.
pub fn shop(answer: &str, balancer: Option<LoadBalancerKind>) -> DeploymentNode {
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

pub const TWO: Capacity = Capacity { min: 2, desired: 2, max: 2 };

/// The first generation of the shop.
pub const GROUP: &str = "kiln-shop-shop-8e2209-g001";

pub struct Shop {
    pub deployer: kiln_ec2::Deployer,
    pub image: String,
    pub begun: Instant,
}

impl Shop {
    pub async fn open(store: &Path) -> Self {
        let (_, interrupted) = tokio::sync::watch::channel(false);
        let region = std::env::var("AWS_REGION").unwrap();
        let place =
            Place { store, project: "shop", region: &region, architecture: "amd64", interrupted };
        let deployer = kiln_ec2::Deployer::open(place).await.unwrap();
        Self { deployer, image: std::env::var("KILN_TEST_IMAGE").unwrap(), begun: Instant::now() }
    }

    pub fn say(&self, what: &str) {
        println!("{:7.2} {what}", self.begun.elapsed().as_secs_f64());
    }

    pub async fn observed(&self) -> Observed {
        let mut all = self.deployer.observe().await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub async fn launch(&self, deployment: &DeploymentNode, generation: u32) {
        let launch = Launch { deployment, generation, image: &self.image, capacity: TWO };
        self.deployer.launch(&launch, &|line| self.say(line)).await.unwrap();
    }

    /// Waits until so many servers of a generation are healthy.
    pub async fn healthy(&self, deployment: &DeploymentNode, number: u32, attached: bool) {
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

    pub async fn prepare(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.prepare(deployment, generation, &|line| self.say(line)).await.unwrap();
        self.say("prepared");
    }

    pub async fn settle(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.settle(deployment, generation, &|line| self.say(line)).await.unwrap();
        self.say("settled");
    }

    pub async fn attach(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.attach(deployment, generation).await.unwrap();
    }

    pub async fn detach(&self, deployment: &DeploymentNode, generation: u32) {
        self.deployer.detach(deployment, generation, &|line| self.say(line)).await.unwrap();
        self.say(&format!("generation {generation} has drained"));
    }

    pub async fn destroy(&self) {
        self.deployer.destroy("shop", &|line| self.say(line)).await.unwrap();
        assert_eq!(self.deployer.belongings("shop").await.unwrap(), []);
        assert_eq!(self.deployer.observe().await.unwrap(), []);
        self.say("destroyed");
    }
}

pub fn healthy(generation: &Generation) -> usize {
    generation.servers.iter().filter(|server| server.health == ServerHealth::Healthy).count()
}

/// What a URL answers.
pub fn get(url: &str) -> String {
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap().trim().to_owned()
}

/// Runs one of the lives below in a process of its own.
pub fn live(lab: &Lab, life: &str) {
    let image = "boto3.client('ssm').get_parameter(Name='/aws/service/debian/release/12/latest/amd64')['Parameter']['Value']";
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", life, "--ignored", "--nocapture"])
        .envs(lab.environment.iter().cloned())
        .env("KILN_TEST_IMAGE", lab.boto(image).as_str().unwrap())
        .status()
        .unwrap();
    assert!(done.success());
}

impl Shop {
    /// Makes the front as declared, and says where it is.
    pub async fn mended(&self, declared: &DeploymentNode) -> String {
        self.settle(declared, 1).await;
        let seen = self.observed().await;
        assert_eq!(seen.front, self.deployer.declared(declared, "").front);
        self.healthy(declared, 1, true).await;
        seen.outputs["url"].clone()
    }

    pub async fn is_as_declared(&self, node: &DeploymentNode) {
        let declared = self.deployer.declared(node, &self.image);
        let seen = self.observed().await;
        assert_eq!(seen.front, declared.front);
        let first = &seen.generations[0];
        assert_eq!((&first.launch, &first.running), (&declared.launch, &declared.running));
        assert_eq!((first.capacity, first.attached, healthy(first)), (TWO, true, 2));
        assert_eq!(get(&seen.outputs["url"]), "one");
    }
}
