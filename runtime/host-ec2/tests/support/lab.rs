use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A lab as a process. It ends, and leaves nothing, when this is dropped.
pub struct Lab {
    process: Child,
    /// What points AWS tools at it.
    pub environment: BTreeMap<String, String>,
    endpoint: String,
    _state: TempDir,
}

impl Lab {
    pub fn up() -> Self {
        Self::with(&[])
    }

    /// A lab with flags of `kiln_lab serve`.
    pub fn with(flags: &[&str]) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab");
        let state =
            tempfile::Builder::new().prefix("kiln-lab-test-").tempdir_in("/var/lib").unwrap();
        let mut process = Command::new(python())
            .args(["-m", "kiln_lab", "serve", "--name", "test", "--state"])
            .arg(state.path())
            .arg("--cache")
            .arg(cache())
            .args(flags)
            .current_dir(sources)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let described: Value = serde_json::from_str(&ready).expect("the lab says that it is ready");
        let environment = serde_json::from_value(described["environment"].clone()).unwrap();
        let endpoint = described["endpoint"].as_str().unwrap().to_owned();
        Self { process, environment, endpoint, _state: state }
    }

    /// Where the record of calls ends now.
    pub fn mark(&self) -> u64 {
        self.get("calls")["mark"].as_u64().unwrap()
    }

    /// The calls since a mark, by name.
    pub fn calls(&self, since: u64) -> Vec<String> {
        let answer = self.get(&format!("calls?since={since}"));
        let calls = answer["calls"].as_array().unwrap().iter();
        calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    /// Changes what it does on purpose: `{"throttle": 0.2}`.
    pub fn misbehave(&self, change: &Value) {
        let url = format!("{}/_lab/misbehaviour", self.endpoint);
        ureq::post(&url).send(change.to_string()).unwrap();
    }

    pub fn behave(&self) {
        self.misbehave(&json!({ "throttle": 0, "visibility": 0, "expired_credentials": false }));
    }

    /// The ids of what is there of a kind: `instances`, `snapshots`, `images`, `volumes`. Instances that are
    /// terminated are not.
    pub fn there(&self, kind: &str) -> Vec<String> {
        let status = self.get("status");
        match &status[kind] {
            Value::Object(by_id) => by_id.keys().cloned().collect(),
            Value::Array(all) => {
                let lives = all.iter().filter(|object| object["state"] != "terminated");
                lives.map(|object| object["id"].as_str().unwrap().to_owned()).collect()
            }
            _ => panic!("no {kind}: {status}"),
        }
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}/_lab/{path}", self.endpoint)).call().unwrap();
        let mut text = String::new();
        answer.body_mut().as_reader().read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

fn cache() -> PathBuf {
    std::env::var_os("KILN_LAB_CACHE").map_or("/var/cache/kiln-lab".into(), PathBuf::from)
}

/// The environment that `cargo xtask` makes for the lab.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("KILN_LAB_PYTHON") {
        return python.into();
    }
    let made = std::fs::read_dir(cache()).into_iter().flatten().flatten();
    let pythons = made
        .map(|entry| entry.path().join("bin/python"))
        .filter(|path| path.to_string_lossy().contains("/lab-") && path.exists());
    pythons.max_by_key(|path| path.symlink_metadata().and_then(|meta| meta.modified()).ok()).expect(
        "no environment for the lab: run `cargo xtask lab up` and `down` once, or set KILN_LAB_PYTHON",
    )
}
