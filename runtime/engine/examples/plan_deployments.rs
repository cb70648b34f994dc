//! How long it takes from the texts of a Document and of a world to the plan of deployments, when nothing has changed,
//! as one JSON line: `plan_deployments DEPLOYMENTS LAYERS`.
//!
//! Images have ten layers each, ten images stand on each other, and each is an artifact of its own. Deployments share
//! the images in turn. `nodes` counts bases, layers, images and deployments.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use async_trait::async_trait;
use kiln::prelude::*;
use kiln::{
    DeploymentNode, Ec2Target, Health, HealthCheck, Origin, Replicas, Strategy, TargetNode,
};
use kiln_engine::deploy::{self, ArtifactState, Desired, ImageState, LayerKey, Past, Place};
use kiln_engine::driver::*;
use kiln_engine::graph::Graph;
use kiln_engine::inputs::Inputs;
use kiln_engine::key::Target;
use kiln_engine::lock::LockFile;
use kiln_engine::plan::{KeyedGraph, Plan, Planned};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Error};
use std::collections::BTreeMap;
use std::iter::successors;
use std::time::{Duration, Instant};

/// Has every image, and runs what it is told.
struct Full;

#[async_trait]
impl ArtifactIndex for Full {
    fn format(&self) -> &'static str {
        "full 1"
    }

    fn gives_outputs(&self) -> bool {
        false
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        let artifact = |key: &CacheKey| Artifact { id: ami(key), output: None };
        Ok(keys.iter().map(|key| Some(artifact(key))).collect())
    }
}

fn ami(key: &CacheKey) -> String {
    format!("ami-{}", &key.to_string()[..17])
}

#[async_trait]
impl Deployer for Full {
    fn declared(&self, deployment: &DeploymentNode, image: &str) -> Declared {
        let TargetNode::Ec2(target) = &deployment.target;
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let health = deployment.health.as_ref().unwrap();
        Declared {
            launch: Traits::from([
                pair("image", image.to_owned()),
                pair("instance_type", target.instance_type.clone()),
                pair("subnets", target.subnets.join(", ")),
                pair("security_groups", target.security_groups.join(", ")),
                pair("user_data", target.user_data.clone().unwrap_or_default()),
                pair("metadata", "IMDSv2".to_owned()),
            ]),
            running: deployment.tags.clone(),
            front: Traits::from([
                pair("ports", format!("{:?}", deployment.ports)),
                pair("check", format!("{:?}", health.check)),
                pair("interval", health.interval_ms.to_string()),
                pair("timeout", health.timeout_ms.to_string()),
                pair("healthy", health.healthy.to_string()),
                pair("unhealthy", health.unhealthy.to_string()),
            ]),
        }
    }

    async fn observe(&self) -> Result<Vec<Observed>, Error> {
        Err(nothing())
    }

    async fn prepare(&self, _: &DeploymentNode, _: u32, _: Output<'_>) -> Result<(), Error> {
        Err(nothing())
    }

    async fn share(&self, _: &DeploymentNode, _: u32) -> Result<bool, Error> {
        Err(nothing())
    }

    async fn settle(&self, _: &DeploymentNode, _: u32, _: Output<'_>) -> Result<(), Error> {
        Err(nothing())
    }

    async fn launch(&self, _: &Launch<'_>, _: Output<'_>) -> Result<(), Error> {
        Err(nothing())
    }

    async fn resize(&self, _: &DeploymentNode, _: u32, _: Capacity) -> Result<(), Error> {
        Err(nothing())
    }

    async fn watch(
        &self,
        _: &DeploymentNode,
        _: u32,
        _: Duration,
        _: Judge<'_>,
    ) -> Result<Waited, Error> {
        Err(nothing())
    }

    async fn attach(&self, _: &DeploymentNode, _: u32) -> Result<(), Error> {
        Err(nothing())
    }

    async fn detach(&self, _: &DeploymentNode, _: u32, _: Output<'_>) -> Result<(), Error> {
        Err(nothing())
    }

    async fn remove(&self, _: &str, _: u32, _: Output<'_>) -> Result<(), Error> {
        Err(nothing())
    }

    async fn console(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    async fn belongings(&self, _: &str) -> Result<Vec<Belonging>, Error> {
        Err(nothing())
    }

    async fn destroy(&self, _: &str, _: Output<'_>) -> Result<(), Vec<Error>> {
        Err(vec![nothing()])
    }
}

/// A plan asks nobody.
fn nothing() -> Error {
    Error::environment("only planned here")
}

fn document(deployments: usize, layers: usize) -> String {
    let mut images: Vec<Image> = Vec::new();
    for number in 0..layers.div_ceil(10) {
        let mut image = Image::new(format!("image-{number}"), "/nowhere");
        image = match number % 10 {
            0 => image.base(scratch()),
            _ => image.base(images[number - 1].clone()),
        };
        for layer in 0..10 {
            let text = format!("echo {number} {layer}");
            let step = step::file(format!("/etc/kiln/{layer}")).content(&text);
            image =
                image.layer(Layer::new(format!("layer-{layer}")).step(step).step(step::run(text)));
        }
        images.push(image);
    }
    let count = images.len();
    let document = images.into_iter().fold(Document::new("shop"), Document::image);
    let mut document = serde_json::to_value(&document).unwrap();
    let nodes: Vec<DeploymentNode> = (0..deployments).map(|n| node(n, n % count)).collect();
    document["deployments"] = serde_json::to_value(nodes).unwrap();
    document.to_string()
}

fn node(number: usize, image: usize) -> DeploymentNode {
    let origin = Origin::caller();
    DeploymentNode {
        name: format!("deployment-{number}"),
        doc: String::new(),
        origin: origin.clone(),
        image,
        target: TargetNode::Ec2(Ec2Target {
            origin: origin.clone(),
            region: Some("eu-west-1".into()),
            instance_type: "t3.micro".into(),
            subnets: vec!["subnet-0123456789abcdef0".into(), "subnet-0123456789abcdef1".into()],
            security_groups: vec!["sg-0123456789abcdef0".into()],
            instance_profile: None,
            volume: None,
            user_data: Some(format!("#cloud-config\nhostname: deployment-{number}\n")),
            public_address: None,
        }),
        replicas: Replicas { min: 2, desired: 2, max: 2 },
        ports: vec![80],
        health: Some(Health {
            origin,
            check: HealthCheck::Http { port: 80, path: "/healthz".into(), status: 200 },
            interval_ms: 10_000,
            timeout_ms: 5_000,
            healthy: 2,
            unhealthy: 2,
            within_ms: 300_000,
            soak_ms: 30_000,
        }),
        strategy: Strategy::RedBlack { keep_previous: 1 },
        load_balancer: None,
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
    }
}

/// What runs when each deployment is as declared, with one generation kept warm.
fn world(desired: &[Desired]) -> Vec<Observed> {
    let observed = desired.iter().map(|desired| {
        let artifact = desired.image.artifact().unwrap();
        let Declared { launch, running, front } = Full.declared(&desired.node, artifact);
        let generation = |number: u32| Generation {
            number,
            id: format!("{}-g{number:03}", desired.node.name),
            image: artifact.to_owned(),
            launch: launch.clone(),
            running: running.clone(),
            capacity: Capacity { min: 2, desired: 2, max: 2 },
            declared: Some(2),
            attached: number == 2,
            servers: (0..2).map(|server| instance(number, server)).collect(),
        };
        Observed {
            deployment: desired.node.name.clone(),
            front,
            generations: vec![generation(1), generation(2)],
            outputs: BTreeMap::new(),
        }
    });
    observed.collect()
}

fn instance(generation: u32, server: u32) -> Server {
    Server {
        id: format!("i-{generation:08x}{server:09x}"),
        address: Some(format!("172.31.{generation}.{server}")),
        health: ServerHealth::Healthy,
    }
}

fn desired(nodes: Vec<DeploymentNode>, keyed: &KeyedGraph, plan: &Plan) -> Vec<Desired> {
    let graph = keyed.graph();
    let images: Vec<ImageState> = graph
        .images()
        .iter()
        .map(|entry| {
            let mut chain: Vec<_> =
                successors(Some(entry.tip), |index| graph.parent(*index)).collect();
            chain.reverse();
            let Planned::Cached { key, artifact } = &plan.nodes[&entry.tip] else {
                unreachable!("all is there")
            };
            let layer = |index| match &plan.nodes[&index] {
                Planned::Cached { key, .. } => {
                    LayerKey { layer: graph.node(index).name.to_string(), key: key.to_string() }
                }
                Planned::Build { .. } => unreachable!("all is there"),
            };
            ImageState {
                name: entry.image.name.clone(),
                key: Some(key.to_string()),
                layers: chain.into_iter().map(layer).collect(),
                artifact: ArtifactState::Baked(artifact.id.clone()),
                why: None,
                record: None,
            }
        })
        .collect();
    let one = |node: DeploymentNode| Desired { image: images[node.image].clone(), node };
    nodes.into_iter().map(one).collect()
}

#[tokio::main]
async fn main() {
    let argument = |at: usize, or: usize| {
        std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (deployments, layers) = (argument(1, 1_000), argument(2, 100));
    let text = document(deployments, layers);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let lock = LockFile::read(&folder.path().join("kiln.lock")).unwrap();
    let mut known = String::new();
    let mut measured = None;
    // The first time is for what runs to be known.
    for _ in 0..2 {
        let started = Instant::now();
        let document: Document = serde_json::from_str(&text).unwrap();
        let nodes = document.deployments().to_vec();
        let graph = Graph::new(document, true).unwrap();
        let wanted: Vec<_> = graph.indices().collect();
        let inputs = Inputs::new(store.inputs());
        let target = Target { builder: "full".into(), place: None, architecture: "amd64".into() };
        let keyed = KeyedGraph::new(graph, &wanted, target, &inputs, &lock, no_layouts).unwrap();
        let plan = Plan::make(&keyed, &wanted, &Full, &store, folder.path()).await.unwrap();
        let desired = desired(nodes, &keyed, &plan);
        if known.is_empty() {
            known = serde_json::to_string(&world(&desired)).unwrap();
            continue;
        }
        let observed: Vec<Observed> = serde_json::from_str(&known).unwrap();
        let compared = Instant::now();
        let (histories, intents) = (BTreeMap::new(), BTreeMap::new());
        let place =
            Place { name: "eu-west-1", deployer: &Full, desired: &desired, observed: &observed };
        let plan = deploy::Plan::make(&[place], Past { histories: &histories, intents: &intents });
        let (ms, compare_ms) = (milliseconds(started), milliseconds(compared));
        assert_eq!((plan.deployments.len(), plan.work().count()), (deployments, 0));
        measured = Some((wanted.len() + deployments, ms, compare_ms));
    }
    let (nodes, ms, compare_ms) = measured.unwrap();
    let (document, world) = (text.len(), known.len());
    println!(
        "{{\"deployments\":{deployments},\"nodes\":{nodes},\"document_bytes\":{document},\"world_bytes\":{world},\"ms\":{ms:.1},\"compare_ms\":{compare_ms:.1}}}"
    );
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// No recipe here starts from a layout.
fn no_layouts(_: &std::path::Path, _: Option<&str>) -> Result<String, Error> {
    Err(Error::input("no layout"))
}
