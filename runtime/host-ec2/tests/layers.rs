//! Layers on EC2: what is baked, what is found, where a bake goes on.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use support::{Lab, Project};

fn three(project: &Project, third: &str) -> Image {
    project
        .debian("site")
        .layer(Layer::new("one").step(step::file("/srv/one").content("1")))
        .layer(Layer::new("two").step(step::run("date +%s%N > /srv/two")))
        .layer(Layer::new("three").step(step::run(third)))
        .test(Test::new("all_is_there").run("cat /srv/one /srv/two /srv/three"))
}

#[test]
fn what_is_there_is_found_and_an_edit_goes_on_from_the_layer_before_it() {
    let (lab, project) = (Lab::up(), Project::new());
    let first = project.update(&lab, three(&project, "echo 3 > /srv/three"));
    assert_eq!(
        first.nodes("built"),
        ["site/base", "site/one", "site/two", "site/three", "site/image"]
    );
    assert_eq!(lab.there("instances"), [""; 0]);

    let mark = lab.mark();
    let again = project.bake(&lab, three(&project, "echo 3 > /srv/three")).done();
    assert_eq!(again.nodes("built"), [""; 0]);
    assert!(again.artifact("site").starts_with("ami-"));
    let calls = lab.calls(mark);
    assert!(calls.len() <= 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.starts_with("Describe")), "{calls:?}");

    let mark = lab.mark();
    let edited = project.bake(&lab, three(&project, "echo 4 > /srv/three")).done();
    assert_eq!(edited.nodes("built"), ["site/three", "site/image"]);
    assert_ne!(edited.artifact("site"), again.artifact("site"));
    let launches = lab.calls(mark).iter().filter(|call| *call == "RunInstances").count();
    assert_eq!(launches, 1);
}

#[test]
fn a_layer_that_fails_leaves_those_before_it_and_the_next_bake_begins_there() {
    let (lab, project) = (Lab::up(), Project::new());
    let failed = project.run(
        &lab,
        three(&project, "echo it does not work; false"),
        &["update", "--format", "json"],
    );
    let failure = failed.failure();
    assert_eq!(failure["layer"], "three");
    assert!(failure["origin"]["file"].as_str().unwrap().ends_with("layers.rs"), "{failure}");
    assert_eq!(failure["output"][0], "it does not work");
    assert_eq!(lab.there("instances"), [""; 0]);

    let corrected = project.bake(&lab, three(&project, "echo 3 > /srv/three")).done();
    assert_eq!(corrected.nodes("cached"), ["site/base", "site/one", "site/two"]);
    assert_eq!(corrected.nodes("built"), ["site/three", "site/image"]);
    assert_eq!(lab.there("instances"), [""; 0]);
}
