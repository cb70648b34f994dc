//! A lab that lives as long as its test.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// All labs of tests: each that comes up sweeps what dead ones have left.
const STATE: &str = "/var/tmp/kiln-lab-tests";

/// Ends the lab when its standard input does: when the test ends, however it ends.
const WATCH: &str = "\"$@\" </dev/null & lab=$!; cat >/dev/null; kill -INT $lab; wait $lab";

/// A small EC2 of a test's own.
pub struct Lab {
    process: Child,
    input: Option<ChildStdin>,
    endpoint: String,
    pub environment: Vec<(String, String)>,
}

impl Lab {
    /// Brings one up, with these options of `kiln_lab serve`.
    pub fn up(options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let cache = std::env::var("KILN_LAB_CACHE").unwrap_or("/var/cache/kiln-lab".into());
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab");
        let mut process = Command::new("setsid")
            .args(["sh", "-c", WATCH, "watch"])
            .arg(python())
            .args(["-m", "kiln_lab", "serve", "--state", STATE, "--cache", &cache])
            .args(["--name", &name])
            .args(options)
            .current_dir(sources)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let input = process.stdin.take();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the lab did not come up: see what it said above"));
        let environment = ready["environment"].as_object().unwrap().iter();
        let environment =
            environment.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        Self {
            process,
            input,
            endpoint: ready["endpoint"].as_str().unwrap().to_owned(),
            environment: environment.collect(),
        }
    }

    fn ask(&self, path: &str) -> Value {
        let url = format!("{}/_lab/{path}", self.endpoint);
        ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap().parse().unwrap()
    }

    /// What the lab has.
    pub fn status(&self) -> Value {
        self.ask("status")
    }

    /// Makes it misbehave from now on.
    pub fn misbehave(&self, how: &Value) {
        let url = format!("{}/_lab/misbehaviour", self.endpoint);
        ureq::post(&url).send(how.to_string()).unwrap();
    }

    /// The calls that were made while something was done: action and the parameters that are recorded.
    pub fn calls_of<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<(String, Value)>) {
        let mark = self.status()["calls"].as_u64().unwrap();
        let done = work();
        let calls = self.ask(&format!("calls?since={mark}"));
        let call = |call: &Value| {
            (call["action"].as_str().unwrap().to_owned(), call["parameters"].clone())
        };
        (done, calls["calls"].as_array().unwrap().iter().map(call).collect())
    }

    /// Instances that are not gone. One that was told to end is waited for, as its volume is there until then.
    pub fn instances(&self) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let status = self.status();
            let instances = status["instances"].as_array().unwrap();
            let ends = instances.iter().any(|instance| instance["state"] == "shutting-down");
            if ends && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            let lives = instances.iter().filter(|instance| instance["state"] != "terminated");
            return lives.map(|instance| instance["id"].as_str().unwrap().to_owned()).collect();
        }
    }

    /// Waits until an instance runs: a waiter of AWS's client asks every 15 s.
    pub fn until_running(&self, instance: &str) {
        let begun = Instant::now();
        let runs = |status: &Value| {
            let mut all = status["instances"].as_array().unwrap().iter();
            all.any(|one| one["id"] == instance && one["state"] == "running")
        };
        while !runs(&self.status()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "`{instance}` does not run");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Lets everybody in to a port of instances that are launched without a security group.
    pub fn let_in(&self, port: u16) {
        self.boto(&format!(
            "ec2.authorize_security_group_ingress(GroupName='default', IpProtocol='tcp', FromPort={port}, ToPort={port}, CidrIp='0.0.0.0/0')['Return']"
        ));
    }

    /// What AWS's own client answers: `ec2.describe_images(Owners=['self'])['Images']`.
    pub fn boto(&self, expression: &str) -> Value {
        let script = format!(
            "import boto3, json\nec2 = boto3.client('ec2')\nprint(json.dumps({expression}, default=str))"
        );
        let output = Command::new(python())
            .args(["-c", &script])
            .envs(self.environment.iter().cloned())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a shell text as root in an instance, past all logins.
    pub fn inside(&self, instance: &str, script: &str) -> String {
        let argv = self.ask(&format!("console/{instance}"));
        let argv: Vec<String> = serde_json::from_value(argv["argv"].clone()).unwrap();
        let output = Command::new(&argv[0]).args(&argv[1..]).args(["-c", script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

/// What the lab does when it throttles, and shows new objects late.
pub fn bad_weather(seed: u64) -> Value {
    json!({ "throttle": 0.1, "visibility": 1.0, "seed": seed })
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.input.take());
        let _it_is_swept_by_the_next = self.process.wait();
    }
}

fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("KILN_LAB_PYTHON") {
        return named.into();
    }
    let made = std::fs::read_dir("/var/cache/kiln-lab").into_iter().flatten().flatten();
    made.map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("lab-"))
        .map(|path| path.join("bin/python"))
        .find(|python| python.exists())
        .unwrap_or_else(|| panic!("no Python for the lab: run `cargo xtask lab up` once"))
}
