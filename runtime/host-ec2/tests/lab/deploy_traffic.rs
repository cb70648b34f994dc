//! Deploys and rollbacks under requests: none fails, and after a switch none is answered by the wrong version.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, deployment, told, version};
use super::project::Project;
use kiln::{Deployment, Image, health, strategy};
use serde_json::json;

/// Deploy, change, deploy, roll back, under requests; then everything goes.
fn story(declared: impl Fn(Image, &str) -> Deployment) {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let of = |text: &str| declared(version(&project, text), text);
    let traffic = fleet.begin(&of("one"));
    assert!(traffic.sees("one"));
    traffic.switch("two", || fleet.run(&of("two"), &["deploy", "--yes"]).done());
    traffic.switch("one", || fleet.run(&of("two"), &["rollback", NAME, "--yes"]).done());
    // What is declared is the second version still.
    traffic.switch("two", || fleet.run(&of("two"), &["deploy", "--yes"]).done());
    drop(traffic);
    fleet.run(&of("two"), &["destroy", NAME, "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
}

#[test]
fn red_black_moves_all_traffic_and_back_without_a_failed_request() {
    story(|image, _| deployment(image));
}

#[test]
fn rolling_moves_all_traffic_and_back_without_a_failed_request() {
    story(|image, _| deployment(image).replicas(3).strategy(strategy::rolling().step(1)));
}

/// Each version is asked in other words: it stands behind a target group of its own.
fn asked(image: Image, version: &str) -> Deployment {
    let check = health::http().path(format!("/?{version}")).interval("5s").timeout("2s");
    deployment(image).health(check.within("60s"))
}

#[test]
fn versions_that_are_asked_otherwise_take_the_traffic_without_a_failed_request() {
    story(asked);
}

#[test]
fn versions_that_are_asked_otherwise_roll_without_a_failed_request() {
    story(|image, version| asked(image, version).replicas(3).strategy(strategy::rolling().step(1)));
}

#[test]
fn another_count_scales_and_replaces_nothing() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let image = super::deploy_fleet::page(&project);
    let traffic = fleet.begin(&told(image.clone(), "one"));
    let before = fleet.groups();
    let [(2, two)] = &before[..] else { panic!("{before:?}") };
    let scaled = told(image.clone(), "one").replicas(3);
    let (ran, calls) =
        lab.calls_of(|| traffic.switch("one", || fleet.run(&scaled, &["deploy", "--yes"]).done()));
    let after = fleet.groups();
    let [(3, three)] = &after[..] else { panic!("{after:?}\n{}", ran.stdout) };
    assert!(two.iter().all(|id| three.contains(id)), "{two:?} {three:?}");
    let made = |action: &str| calls.iter().any(|(called, _)| called == action);
    assert!(!made("CreateAutoScalingGroup") && !made("CreateLaunchTemplateVersion"));
    // And back: one goes, the others stay.
    traffic.switch("one", || fleet.run(&told(image, "one"), &["deploy", "--yes"]).done());
    let last = fleet.groups();
    assert!(matches!(&last[..], [(2, _)]), "{last:?}");
    assert_eq!(json!(traffic.so_far().failures().len()), json!(0));
}
