//! Deploys that end at any moment.

use super::cloud::{Lab, bad_weather};
use super::deploy_fleet::{Fleet, NAME, page, recipes, told};
use super::project::Project;
use kiln::{health, strategy};
use serde_json::json;
use std::time::Duration;

/// A holder that was killed holds on for so many seconds: as long as a busy disk may take to write a lease down.
const LEASE: [&str; 4] = ["--lease-time", "10", "--lock-timeout", "60"];

/// A number that nobody can tell from the one before: SplitMix64 (Steele, Lea, Flood 2014).
fn chance(seed: u64) -> u64 {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn after_a_kill_at_any_moment_the_next_deploy_brings_what_is_declared() {
    let kills: u64 = std::env::var("KILN_KILLS").map_or(2, |text| text.parse().unwrap());
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let of = |number: u64| {
        // Every other one is asked otherwise, too: then something else stands before it.
        let check = health::http().path(format!("/?{}", number / 2)).interval("5s").timeout("2s");
        let one = told(page(&project), &format!("version {number}")).health(check.within("60s"));
        match number / 2 % 2 {
            0 => one,
            _ => one.strategy(strategy::rolling().step(1)),
        }
    };
    let traffic = fleet.begin(&of(0));
    let deploy = [&["deploy", "--yes"][..], &LEASE].concat();
    for seed in 1..=kills {
        lab.misbehave(&bad_weather(seed));
        // Of five, one is a rollback, which leaves what is declared.
        let begun = match seed % 5 {
            3 => [&["rollback", NAME, "--yes"][..], &LEASE].concat(),
            _ => deploy.clone(),
        };
        let mut killed =
            project.start_on(&recipes([of(seed)]), &[&begun[..], &["--format", "json"]].concat());
        // A moment of chance within a deploy, which is what is tested: nothing is waited for.
        let moment = Duration::from_millis(500 + chance(seed) % 30_000);
        std::thread::sleep(moment);
        let _it_may_be_over = killed.kill();
        killed.wait().unwrap();
        let version = format!("version {seed}");
        traffic.switch(&version, || {
            let ran = fleet.run(&of(seed), &deploy);
            assert_eq!(ran.code, Some(0), "after {moment:?}\n{}\n{}", ran.stdout, ran.stderr);
        });
        lab.misbehave(&json!({ "throttle": 0.0, "visibility": 0.0 }));
        let plan = fleet.run(&of(seed), &["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, Some(0), "after {moment:?}\n{}", plan.stdout);
        let groups = fleet.groups();
        // The one that serves, and one that is kept warm.
        assert!(groups.len() <= 2, "after {moment:?}: {groups:?}");
        let servers: usize = groups.iter().map(|(_, instances)| instances.len()).sum();
        assert_eq!(servers, lab.instances().len(), "after {moment:?}: {groups:?}");
    }
    drop(traffic);
    fleet.run(&of(kills), &["destroy", NAME, "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
}
