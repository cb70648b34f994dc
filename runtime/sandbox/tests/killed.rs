//! A bake that is killed leaves nothing behind once the next one has begun.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests prepare must succeed"
)]

mod support;

use kiln_engine::driver::Builder;
use kiln_engine::lock::Locked;
use kiln_sandbox::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::{Bench, Lines, debian_input, fresh_key, isolated, locked_base, shell, store};

/// Not a test: what the tests below run as a process of its own, to be killed.
#[test]
#[ignore = "runs until it is killed"]
fn bake_until_killed() {
    isolated(|| async {
        if std::env::var("KILN_TEST_BAKES").as_deref() == Ok("base") {
            let sandbox = Sandbox::open(&store()).unwrap();
            let locked = locked_base(&sandbox).await;
            let output = |line: &str| eprintln!("{line}");
            let key = fresh_key("killed");
            sandbox.make_base(key, &debian_input(), &Locked::Files(locked), &output).await.unwrap();
            return;
        }
        let mut bench = Bench::new().await;
        let mut action = shell("setsid sleep 100000 & echo in a step; exec sleep 100000");
        bench.sh("true").await;
        action.network = true;
        let output = |line: &str| eprintln!("{line}");
        let action = kiln_engine::driver::Action::Exec(action);
        bench.session.run(std::slice::from_ref(&action), &Lines(&output)).await.unwrap();
    });
}

/// Bakes in a process of its own, kills it at the line that contains `at`, and returns its run.
fn killed(bakes: &str, at: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["bake_until_killed", "--exact", "--ignored", "--nocapture"])
        .env("KILN_TEST_BAKES", bakes)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.map_while(Result::ok).find(|line| line.contains(at));
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert!(seen.is_some(), "it ended before it was killed");
    let prefix = format!("{}-", child.id());
    runs()
        .into_iter()
        .find(|run| run.starts_with(&prefix))
        .expect("a killed run leaves its directory")
}

fn runs() -> Vec<String> {
    let dir = std::fs::read_dir(store().join("sandbox/runs")).unwrap();
    dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Whatever names a run: processes by their cgroup, mounts in any namespace, cgroups.
fn left_of(run: &str) -> Vec<String> {
    let mut left = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        // A process that is dead and waits for its parent to notice holds nothing.
        let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        if stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")) {
            continue;
        }
        for file in ["cgroup", "mountinfo"] {
            let text = std::fs::read_to_string(process.join(file)).unwrap_or_default();
            left.extend(
                text.lines()
                    .filter(|line| line.contains(run))
                    .map(|line| format!("{}: {line}", process.display())),
            );
        }
    }
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap();
    let mut groups: Vec<PathBuf> = hierarchies.map(|dir| dir.unwrap().path()).collect();
    groups.push("/sys/fs/cgroup".into());
    let groups = groups.into_iter().map(|dir| dir.join("kiln").join(run));
    left.extend(groups.filter(|dir| dir.exists()).map(|dir| dir.display().to_string()));
    left
}

#[test]
fn a_bake_killed_in_a_step_is_swept_by_the_next() {
    let run = killed("step", "in a step");
    assert!(!left_of(&run).is_empty(), "there is something to sweep");
    isolated(|| async {
        Sandbox::open(&store()).unwrap();
        assert_eq!(left_of(&run), Vec::<String>::new());
        assert!(!runs().contains(&run));
        assert_eq!(Bench::new().await.sh("echo fine").await, "fine");
    });
}

#[test]
fn a_bake_killed_while_its_base_is_made_is_swept_by_the_next() {
    isolated(|| async {
        // So that the process to be killed finds the packages here.
        Bench::new().await;
    });
    let run = killed("base", "I: ");
    assert!(!left_of(&run).is_empty(), "there is something to sweep");
    isolated(|| async {
        Sandbox::open(&store()).unwrap();
        assert_eq!(left_of(&run), Vec::<String>::new());
        assert!(!runs().contains(&run));
    });
}
