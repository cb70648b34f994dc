//! States, holders and processes that are killed.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use kiln_engine::driver::{Capacity, HistoryEntry, Holder, Intent, NotYours};
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub fn holder(run: &str) -> Holder {
    Holder { who: "ann@desk".into(), run: run.into(), command: format!("deploy by {run}") }
}

pub fn intent(generation: u32) -> Intent {
    Intent {
        generation,
        from: vec![generation - 1],
        image: "ami-1".into(),
        capacity: Capacity { min: 1, desired: 2, max: 3 },
        holder: holder("a"),
        at: 1_700_000_000,
        ending: entry(generation),
    }
}

pub fn entry(generation: u32) -> HistoryEntry {
    let deployment = serde_json::json!({
        "name": "production", "doc": "", "origin": { "file": "r.rs", "line": 1, "column": 1 }, "image": 0,
        "target": { "ec2": {
            "origin": { "file": "r.rs", "line": 1, "column": 1 }, "region": null, "instance_type": "t3.micro",
            "subnets": [], "security_groups": [], "instance_profile": null, "volume": null, "user_data": null,
            "public_address": null
        } },
        "replicas": { "min": 1, "desired": 1, "max": 1 }, "ports": [], "health": null,
        "strategy": { "red_black": { "keep_previous": 1 } }, "load_balancer": null, "tags": {}
    });
    HistoryEntry {
        generation,
        action: "deploy".into(),
        why: "image".into(),
        failure: None,
        image: "ami-1".into(),
        image_key: "00".into(),
        deployment: serde_json::from_value(deployment).unwrap(),
        launch: BTreeMap::new(),
        layers: BTreeMap::new(),
        who: "ann@desk".into(),
        at: 1_700_000_000,
        ms: 5,
    }
}

pub fn held_by(refused: &NotYours) -> &str {
    match refused {
        NotYours::Held { holder, .. } => &holder.run,
        NotYours::Failed(error) => panic!("{}", error.chain()),
    }
}

/// This test program again, as a process of its own that runs one of its ignored tests.
pub fn process(test: &str, env: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--quiet"])
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

pub const NO_WAIT: Duration = Duration::ZERO;
pub const MINUTE: Duration = Duration::from_secs(60);
