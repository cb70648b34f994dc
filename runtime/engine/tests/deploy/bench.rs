//! Deployments in a world in memory, planned and changed by one run after the other.

use crate::memory::Memory;
use crate::world::{Fault, World};
use kiln::{
    DeploymentNode, Ec2Target, Health, HealthCheck, Origin, Replicas, Strategy, TargetNode,
};
use kiln_engine::Event;
use kiln_engine::deploy::{
    ArtifactState, Desired, ImageState, LayerKey, Options, Outcome, Past, Place, Plan, Run, Work,
};
use kiln_engine::driver::{Holder, State};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::sync::watch;

pub struct Bench {
    pub world: World,
    pub memory: Memory,
    pub events: Mutex<Vec<Event>>,
    pub jobs: usize,
    runs: AtomicU32,
}

pub const RED_BLACK: Strategy = Strategy::RedBlack { keep_previous: 1 };

pub fn node(name: &str, replicas: u32, strategy: Strategy) -> DeploymentNode {
    let origin = Origin { file: "recipes/src/lib.rs".into(), line: 7, column: 9 };
    DeploymentNode {
        name: name.into(),
        doc: String::new(),
        origin: origin.clone(),
        image: 0,
        target: TargetNode::Ec2(Ec2Target {
            origin: origin.clone(),
            region: Some("eu-west-1".into()),
            instance_type: "t3.micro".into(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            instance_profile: None,
            volume: None,
            user_data: None,
            public_address: None,
        }),
        replicas: Replicas { min: replicas, desired: replicas, max: replicas },
        ports: vec![80],
        health: Some(Health {
            origin,
            check: HealthCheck::Http { port: 80, path: "/healthz".into(), status: 200 },
            interval_ms: 1_000,
            timeout_ms: 500,
            healthy: 2,
            unhealthy: 2,
            within_ms: 20_000,
            soak_ms: 2_000,
        }),
        strategy,
        load_balancer: None,
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
    }
}

/// A deployment of the image's state `version`: `site` is its only layer that differs from another one's.
pub fn desired(node: &DeploymentNode, version: u32) -> Desired {
    let layers = [("web/packages", "p".to_owned()), ("web/site", format!("s{version}"))];
    let layer = |(layer, key): (&str, String)| LayerKey { layer: layer.to_owned(), key };
    let image = ImageState {
        name: "web".into(),
        key: Some(format!("key-{version}")),
        layers: layers.map(layer).to_vec(),
        artifact: ArtifactState::Baked(format!("ami-{version}")),
        why: None,
        record: None,
    };
    Desired { node: node.clone(), image }
}

impl Bench {
    pub fn new() -> Self {
        let world = World::default();
        let memory = Memory::of(&world);
        Self { memory, world, events: Mutex::default(), jobs: 4, runs: AtomicU32::new(0) }
    }

    /// What a deploy would do now.
    pub fn plan(&self, desired: &[Desired]) -> Plan {
        let observed = self.world.seen();
        let intents = now(self.memory.intents()).unwrap().unwrap();
        let histories = self.memory.lock().histories.clone();
        let place = Place { name: "here", deployer: &self.world, desired, observed: &observed };
        Plan::make(&[place], Past { histories: &histories, intents: &intents })
    }

    /// Plans and deploys; `None`: the process has died.
    pub fn deploy(&self, desired: &[Desired]) -> Option<BTreeMap<String, Outcome>> {
        let plan = self.plan(desired);
        self.execute(&plan, desired, false)
    }

    /// Executes a plan; `None`: the process has died.
    pub fn execute(
        &self,
        plan: &Plan,
        desired: &[Desired],
        exact: bool,
    ) -> Option<BTreeMap<String, Outcome>> {
        let of = |name: &String| desired.iter().find(|desired| desired.node.name == *name);
        let work = plan.work().filter_map(|planned| {
            let desired = of(&planned.deployment)?;
            Some(Work { deployer: &self.world, desired, planned })
        });
        let work: Vec<Work<'_>> = work.collect();
        self.run(exact, async |run| run.deploy(&work).await)
    }

    pub fn rollback(&self, name: &str, to: Option<u32>) -> Option<Outcome> {
        self.run(false, async |run| run.rollback(&self.world, name, to).await)
    }

    pub fn run<T>(&self, exact: bool, work: impl AsyncFnOnce(&Run<'_>) -> T) -> Option<T> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let (sender, interrupted) = watch::channel(false);
        self.world.lock().interrupt = Some(sender);
        let options = Options {
            jobs: self.jobs,
            holder: Holder {
                who: "ann@host".into(),
                run: number.to_string(),
                command: "deploy".into(),
            },
            patience: Duration::ZERO,
            exact,
            interrupted,
        };
        let events = |event| self.events.lock().unwrap().push(event);
        let run = Run { state: &self.memory, events: &events, options: &options };
        now(work(&run))
    }

    /// The calls from here on begin to count; at one of them something happens.
    pub fn fault(&self, fault: Option<(usize, Fault)>) {
        let mut inside = self.world.lock();
        inside.calls.clear();
        inside.fault = fault;
    }

    /// A process has died: its lease ends, the world goes on.
    pub fn later(&self) {
        self.fault(None);
        self.memory.later();
        (0..3).for_each(|_| self.world.tick());
    }
}

/// What a future comes to, where nothing in it waits for time; `None` where it stops for good.
pub fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    // Those that only give others their turn have themselves woken at once.
    while woken.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    None
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
