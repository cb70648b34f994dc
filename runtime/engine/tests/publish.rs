//! Images that are artifacts of their own, on bases that somebody else keeps, as on EC2.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use kiln_engine::Event;
use kiln_engine::bake::Resolve;
use support::Bench;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.memory.outputs = false;
    bench.memory.publishes = true;
    bench
}

fn base(bench: &Bench) -> Image {
    Image::new("base", bench.root())
        .base(debian("bookworm"))
        .layer(Layer::new("one").step(step::run("a")))
}

fn web(bench: &Bench, command: &str, test: &str) -> Document {
    let image = Image::new("web", bench.root())
        .base(base(bench))
        .layer(Layer::new("two").step(step::run(command)))
        .test(Test::new("works").run(test));
    Document::new("shop").image(image)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_made_of_the_session_of_its_last_layer() {
    let bench = bench();
    let baked = bench.bake(Document::new("shop").image(base(&bench))).await;
    assert_eq!(
        baked.calls,
        ["resolve base", "open", "a", "checkpoint before the image", "publish base"]
    );
    assert_eq!(baked.counts(), (3, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changed_is_one_look_up_and_nothing_else() {
    let bench = bench();
    bench.bake(web(&bench, "b", "true")).await;
    bench.memory.state.lock().unwrap().looked_up = 0;
    let again = bench.bake(web(&bench, "b", "true")).await;
    assert_eq!(again.calls, [""; 0]);
    assert_eq!(again.counts(), (0, 5, 0));
    assert_eq!(bench.memory.state.lock().unwrap().looked_up, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_becomes_the_image_and_what_stands_on_it_opens_its_own() {
    let bench = bench();
    let baked = bench.bake(web(&bench, "b", "true")).await;
    // Both wait for the first layer, then go side by side.
    assert_eq!(baked.calls[..4], ["resolve base", "open", "a", "checkpoint before the image"]);
    let mut after = baked.calls[4..].to_vec();
    after.sort();
    let others = ["b", "checkpoint before the image", "open", "publish base", "publish web"];
    assert_eq!(after, others);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_goes_on_with_layers_is_not_told_of_an_image() {
    let bench = bench();
    // The base's own image is not wanted: its layer is followed by another one.
    let baked = bench.bake_only("web", web(&bench, "b", "true")).await;
    let expected = [
        "resolve base",
        "open",
        "a",
        "checkpoint",
        "b",
        "checkpoint before the image",
        "publish web",
    ];
    assert_eq!(baked.calls, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_fails_its_tests_does_not_count_and_its_layers_do() {
    let bench = bench();
    let failed = bench.bake(web(&bench, "b", "fail")).await;
    let error = failed.error();
    assert!(error.to_string().contains("image `web` failed its tests: `works`"), "{error}");
    assert!(error.origin().unwrap().file.ends_with("publish.rs"));
    let told = |event: &Event| matches!(event, Event::Test { failure: Some(_), .. });
    assert!(failed.events.iter().any(told));

    let corrected = bench.bake(web(&bench, "b", "true")).await;
    assert_eq!(corrected.calls, ["open", "publish web"]);
    assert_eq!(corrected.counts(), (1, 4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_test_makes_the_image_again() {
    let bench = bench();
    bench.bake(web(&bench, "b", "true")).await;
    let edited = bench.bake(web(&bench, "b", "false || true")).await;
    assert_eq!(edited.calls, ["open", "publish web"]);
    assert!(edited.plan[4].starts_with("web/image: `test`"), "{}", edited.plan[4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_base_is_taken_only_when_asked_for() {
    let mut bench = bench();
    bench.resolve = Resolve::Packages;
    let refused = bench.bake(web(&bench, "b", "true")).await;
    let errors = refused.outcome.unwrap_err();
    assert!(errors[0].to_string().contains("no entry for `debian bookworm"), "{}", errors[0]);
    assert!(errors[0].help_text().unwrap().contains("cargo xtask update"));
    assert_eq!(refused.calls, [""; 0]);

    bench.resolve = Resolve::Everything;
    bench.bake(web(&bench, "b", "true")).await;
    bench.resolve = Resolve::Packages;
    assert_eq!(bench.bake(web(&bench, "b", "true")).await.counts(), (0, 5, 0));
}
