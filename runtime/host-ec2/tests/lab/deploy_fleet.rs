//! A deployment to test with: an image that answers with its version, and what is asked of its servers.

use super::cloud::Lab;
use super::project::{Project, Ran};
use kiln::{Deployment, Document, Image, Layer, health, load_balancer, step, strategy, target};
use kiln_load::{Address, Load, Record, Running};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a test's deployment is called.
pub const NAME: &str = "production";
const PORT: u16 = 8080;

/// As many as the issue asks for.
const RATE: u32 = 200;

/// A load balancer that was just made, or one whose answers are about to change, has this long.
const SOON: Duration = Duration::from_secs(60);

/// Answers with what is in `/srv/version`, once it is there: a server whose version comes late is not healthy before.
/// Where `/srv/port` names another port, on that one. `/slow` takes it some seconds.
const SERVER: &str = r#"#!/usr/bin/python3
import asyncio, pathlib, time

file = pathlib.Path("/srv/version")
while not file.exists():
    time.sleep(0.1)
body = file.read_bytes()
where = pathlib.Path("/srv/port")
port = int(where.read_text()) if where.exists() else 8080
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

async def serve(reader, writer):
    try:
        while True:
            asked = await reader.readuntil(b"\r\n\r\n")
            if asked.startswith(b"GET /slow"):
                await asyncio.sleep(6)
            writer.write(answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=1000)
    await server.serve_forever()

asyncio.run(main())
"#;

const UNIT: &str = "[Unit]\nAfter=network.target\n[Service]\nExecStart=/usr/local/bin/page\nRestart=always\n\
                    [Install]\nWantedBy=multi-user.target\n";

/// An image whose servers answer with a version, once they are told which: by a layer, or by user data.
pub fn page(project: &Project<'_>) -> Image {
    let server = step::file("/usr/local/bin/page").content(SERVER).mode(0o755);
    let unit = step::unit("page.service").content(UNIT).enable(true);
    project.debian("page").layer(Layer::new("server").step(server).step(unit))
}

/// The same with its version in a layer.
pub fn version(project: &Project<'_>, version: &str) -> Image {
    let file = step::file("/srv/version").content(version);
    page(project).layer(Layer::new("version").step(file))
}

/// Two servers behind a load balancer, replaced by red/black.
pub fn deployment(image: Image) -> Deployment {
    Deployment::new(NAME)
        .image(image)
        .target(target::ec2().instance_type("t3.micro"))
        .replicas(2)
        .ports([PORT])
        .health(health::http().path("/").interval("5s").timeout("2s").within("60s"))
        .strategy(strategy::red_black())
        .load_balancer(load_balancer::application().listen(80).to(PORT).drain("2s"))
}

/// The same of an image without a version, whose servers are told theirs when they start: nothing is baked for
/// another one.
pub fn told(image: Image, version: &str) -> Deployment {
    // At once: whoever asks is answered with all of it or not at all.
    let script =
        format!("#!/bin/sh\nprintf %s '{version}' >/srv/told && mv /srv/told /srv/version\n");
    deployment(image).target(target::ec2().instance_type("t3.micro").user_data(script))
}

/// What recipes print that declare these.
pub fn recipes(deployments: impl IntoIterator<Item = Deployment>) -> Document {
    deployments.into_iter().fold(Document::new("shop"), Document::deployment)
}

/// The host on one deployment.
pub struct Fleet<'a> {
    pub lab: &'a Lab,
    pub project: &'a Project<'a>,
}

impl Fleet<'_> {
    /// Runs a command on recipes that declare this one deployment.
    pub fn run(&self, deployment: &Deployment, args: &[&str]) -> Ran {
        self.on(&recipes([deployment.clone()]), args)
    }

    pub fn on(&self, document: &Document, args: &[&str]) -> Ran {
        self.project.run_on(document, &[args, &["--format", "json"]].concat())
    }

    /// Locks what comes from outside, deploys, and begins to send requests once there are answers.
    pub fn begin(&self, deployment: &Deployment) -> Traffic {
        self.prepare(deployment);
        self.run(deployment, &["deploy", "--yes"]).done();
        self.traffic(deployment)
    }

    /// Locks what comes from outside, which bakes too.
    pub fn prepare(&self, deployment: &Deployment) {
        let document = recipes([deployment.clone()]);
        let image = document.images().last().unwrap().name.clone();
        self.on(&document, &["update", &image]).done();
    }

    /// Where it answers, or what else it tells of how it is reached.
    pub fn output(&self, deployment: &Deployment, name: &str) -> String {
        let outputs = self.run(deployment, &["output", NAME]).done().stdout;
        let outputs: Value = serde_json::from_str(&outputs).unwrap();
        text_of(&outputs, name).unwrap_or_else(|| panic!("no {name} in {outputs}"))
    }

    /// Requests, as soon as they are answered.
    pub fn traffic(&self, deployment: &Deployment) -> Traffic {
        let url = self.output(deployment, "url");
        // Who forwards TCP knows nothing of HTTP.
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let address = Address::parse(&url).unwrap();
        let load = Load::new(address.clone(), RATE).start();
        let answered = load.wait_for(SOON, |request| request.answer().is_some());
        assert!(answered, "no answer: {:?}", load.so_far().failures().first());
        Traffic(load, address)
    }

    /// Each group of the deployment: its number of servers wanted, and the instances in it.
    pub fn groups(&self) -> Vec<(u64, Vec<String>)> {
        let groups = self.lab.boto(
            "boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']",
        );
        let instances = |group: &Value| {
            let instances = group["Instances"].as_array().unwrap().iter();
            instances.map(|one| one["InstanceId"].as_str().unwrap().to_owned()).collect()
        };
        let groups = groups.as_array().unwrap().iter();
        groups.map(|group| (group["DesiredCapacity"].as_u64().unwrap(), instances(group))).collect()
    }

    /// Everything in the lab that is of a deployment.
    pub fn left(&self) -> Vec<String> {
        let list = |expression: &str| -> Vec<String> {
            let found = self.lab.boto(expression);
            found.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let mut left = self.lab.instances();
        for expression in [
            "[g['AutoScalingGroupName'] for g in boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']]",
            "[t['LaunchTemplateName'] for t in ec2.describe_launch_templates()['LaunchTemplates']]",
            "[b['LoadBalancerName'] for b in boto3.client('elbv2').describe_load_balancers()['LoadBalancers']]",
            "[g['TargetGroupName'] for g in boto3.client('elbv2').describe_target_groups()['TargetGroups']]",
            "[g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'] != 'default']",
        ] {
            left.extend(list(expression));
        }
        left
    }
}

/// Requests that go on while a test changes a deployment.
pub struct Traffic(Running, Address);

impl Traffic {
    /// Does something, and demands that no request failed so far, and that afterwards all are answered by this
    /// version.
    #[track_caller]
    pub fn switch<T>(&self, version: &str, change: impl FnOnce() -> T) -> T {
        let done = change();
        let ended = self.0.now();
        let later = ended + Duration::from_secs(1);
        assert!(self.0.wait_for(SOON, |request| request.sent >= later));
        let record = self.0.so_far();
        assert_eq!(record.failures(), [], "of {} requests", record.sent());
        let answers: Vec<&str> = record.answers_since(ended).into_keys().collect();
        assert_eq!(answers, [version]);
        done
    }

    /// Demands that no request failed so far, and that whoever connects now is answered by this version: a lab's network
    /// load balancer ends no connection that is kept.
    #[track_caller]
    pub fn new_connections_see(&self, version: &str) {
        let record = self.0.so_far();
        assert_eq!(record.failures(), [], "of {} requests", record.sent());
        let answers: BTreeSet<String> = (0..50).map(|_| kiln_load::get(&self.1).unwrap()).collect();
        assert_eq!(answers.into_iter().collect::<Vec<_>>(), [version]);
    }

    /// Waits until one is answered by this version.
    pub fn sees(&self, version: &str) -> bool {
        self.0.wait_for(SOON, |request| request.answer() == Some(version))
    }

    pub fn so_far(&self) -> Record {
        self.0.so_far()
    }
}

/// A text of this name, wherever it is.
pub fn text_of(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(members) => match members.get(name).and_then(Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => members.values().find_map(|below| text_of(below, name)),
        },
        Value::Array(list) => list.iter().find_map(|below| text_of(below, name)),
        _ => None,
    }
}

impl Ran {
    /// The events of these phases, as deployment and phase, in order.
    pub fn phases(&self, wanted: &[&str]) -> Vec<(String, String)> {
        let events = self.events().into_iter().filter(|event| event["event"] == "deploy");
        let pair = |event: Value| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (text("deployment"), text("phase"))
        };
        events.map(pair).filter(|(_, phase)| wanted.contains(&phase.as_str())).collect()
    }

    /// The event that says why a deployment, or the command, failed.
    pub fn refusal(&self) -> Value {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        let says = |event: &Value| event["event"] == "error" || event["phase"] == "failed";
        let found = self.events().into_iter().find(says);
        found.unwrap_or_else(|| panic!("no reason\n{}\n{}", self.stdout, self.stderr))
    }
}
