//! The engine with a builder in memory: recipes in, what the builder was asked to do out.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use kiln_engine::bake::{OnError, Resolve};
use kiln_engine::{ErrorKind, Event};
use support::{Bench, locked};

fn web(bench: &Bench, first: &str, second: &str) -> Document {
    let image = Image::new("web", bench.root())
        .base(scratch())
        .layer(Layer::new("one").step(step::run(first)))
        .layer(Layer::new("two").step(step::run(second)));
    Document::new("shop").image(image)
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_of_a_chain_share_one_session() {
    let bench = Bench::new();
    let baked = bench.bake(web(&bench, "a", "b")).await;
    assert_eq!(baked.calls, ["base ", "open", "a", "checkpoint", "b", "checkpoint", "close"]);
    assert_eq!(baked.counts(), (3, 0, 0));
    assert_eq!(baked.plan[2], "web/two: never built here");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_layer_is_not_rebuilt() {
    let bench = Bench::new();
    bench.bake(web(&bench, "a", "b")).await;
    let again = bench.bake(web(&bench, "a", "b")).await;
    assert_eq!(again.calls, [""; 0]);
    assert_eq!(again.counts(), (0, 3, 0));
    let edited = bench.bake(web(&bench, "a", "c")).await;
    assert_eq!(edited.calls, ["open", "c", "checkpoint", "close"]);
    assert_eq!(
        edited.plan,
        ["web/base cached", "web/one cached", "web/two: step `run b` became `run c`"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_rebuilt_to_the_same_output_leaves_its_children_cached() {
    let bench = Bench::new();
    bench.bake(web(&bench, "a", "b")).await;
    let cut_off = bench.bake(web(&bench, "a # a comment", "b")).await;
    assert_eq!(cut_off.calls, ["open", "a", "checkpoint", "close"]);
    assert_eq!(cut_off.counts(), (1, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_output_digests_a_rebuilt_layer_rebuilds_its_children() {
    let mut bench = Bench::new();
    bench.memory.outputs = false;
    bench.bake(web(&bench, "a", "b")).await;
    assert_eq!(bench.bake(web(&bench, "a", "b")).await.counts(), (0, 3, 0));
    let edited = bench.bake(web(&bench, "a # a comment", "b")).await;
    assert_eq!(edited.counts(), (2, 1, 0));
    assert_eq!(edited.plan[2], "web/two: `web/one` is built");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_bake_resumes_at_the_failed_layer() {
    let bench = Bench::new();
    let failed = bench.bake(web(&bench, "a", "fail")).await;
    assert_eq!(failed.counts(), (2, 0, 1));
    let error = failed.error();
    assert_eq!(
        error.to_string(),
        "step `run fail` of layer `web/two` failed: command exited with status 1"
    );
    assert_eq!(error.output_lines(), ["it does not work"]);
    assert!(error.origin().unwrap().file.ends_with("bake.rs"));
    assert_eq!(failed.calls.last().unwrap(), "close");
    let retried = bench.bake(web(&bench, "a", "b")).await;
    assert_eq!(retried.calls, ["open", "b", "checkpoint", "close"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_on_a_failed_layer_is_skipped_and_the_rest_goes_on() {
    let bench = Bench::new();
    let root = bench.root();
    let broken = Image::new("broken", root)
        .base(scratch())
        .layer(Layer::new("bad").step(step::run("fail")))
        .layer(Layer::new("above").step(step::run("x")));
    let sound =
        Image::new("sound", root).base(scratch()).layer(Layer::new("good").step(step::run("g")));
    let baked = bench.bake(Document::new("shop").image(broken).image(sound)).await;
    let skipped: Vec<String> = baked
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Skipped { node } => Some(node.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(skipped, ["broken/above"]);
    assert!(baked.calls.contains(&"g".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_base_is_built_once() {
    let bench = Bench::new();
    let root = bench.root();
    let base = || {
        Image::new("base", root)
            .base(scratch())
            .layer(Layer::new("common").step(step::run("common")))
    };
    let on = |name: &str| {
        Image::new(name, root).base(base()).layer(Layer::new("own").step(step::run(name)))
    };
    let baked = bench.bake(Document::new("shop").image(on("web")).image(on("api"))).await;
    assert_eq!(baked.calls.iter().filter(|call| *call == "common").count(), 1);
    assert_eq!(baked.counts(), (4, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_layers_of_two_images_are_built_once() {
    let bench = Bench::new();
    let root = bench.root();
    let image = |name: &str| {
        Image::new(name, root).base(scratch()).layer(Layer::new("l").step(step::run("same")))
    };
    let baked = bench.bake(Document::new("shop").image(image("a")).image(image("b"))).await;
    assert_eq!(baked.calls.iter().filter(|call| *call == "same").count(), 1);
    assert_eq!(baked.counts(), (2, 2, 0));
}

fn packages(bench: &Bench) -> Document {
    let image = Image::new("web", bench.root())
        .base(debian("bookworm"))
        .layer(Layer::new("packages").step(step::apt(["pp"])))
        .layer(Layer::new("after").step(step::run("x")));
    Document::new("shop").image(image)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bake_locks_and_later_ones_install_the_same() {
    let bench = Bench::new();
    let first = bench.bake(packages(&bench)).await;
    assert_eq!(
        first.calls,
        [
            "resolve base",
            "base 1.0",
            "open",
            "resolve done </tmp/kiln-uris",
            "install 1.0",
            "checkpoint",
            "x",
            "checkpoint",
            "close"
        ]
    );
    assert!(first.plan[1].starts_with("web/packages: first `apt pp`: resolved into kiln.lock"));
    // The archive moves on; the lock file does not.
    bench.memory.state.lock().unwrap().outside = locked("2.0");
    let again = bench.bake(packages(&bench)).await;
    assert_eq!(again.calls, [""; 0]);
    // On another machine, with the same lock file.
    let mut other = Bench::new();
    other.resolve = Resolve::Nothing;
    std::fs::copy(bench.folder.path().join("kiln.lock"), other.folder.path().join("kiln.lock"))
        .unwrap();
    let there = other.bake(packages(&other)).await;
    assert_eq!(there.calls[..4], ["base 1.0", "open", "install 1.0", "checkpoint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_installs_what_the_archive_has_now() {
    let bench = Bench::new();
    bench.bake(packages(&bench)).await;
    bench.memory.state.lock().unwrap().outside = locked("2.0");
    let updated = bench
        .bake_with(packages(&bench), |lock, keyed| {
            lock.refresh(keyed.entries());
            keyed.relock(lock);
        })
        .await;
    assert!(updated.calls.contains(&"install 2.0".to_owned()), "{:?}", updated.calls);
    let again = bench.bake(packages(&bench)).await;
    assert_eq!(again.counts(), (0, 3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_lock_file_says_which_package_changed() {
    let bench = Bench::new();
    bench.bake(packages(&bench)).await;
    let path = bench.folder.path().join("kiln.lock");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, packages_entry) = text.split_at(text.rfind("[[entry]]").unwrap());
    std::fs::write(&path, format!("{before}{}", packages_entry.replace("p_1.0", "p_1.1"))).unwrap();
    let changed = bench.bake(packages(&bench)).await;
    assert_eq!(
        changed.plan[1],
        "web/packages: kiln.lock has `p_1.1_all.deb`, it was `p_1.0_all.deb`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_refuses_what_the_lock_file_lacks_with_the_step_that_asks() {
    let mut bench = Bench::new();
    bench.resolve = Resolve::Nothing;
    let baked = bench.bake(packages(&bench)).await;
    let errors = baked.outcome.unwrap_err();
    assert_eq!(errors.len(), 2);
    assert!(errors[1].to_string().contains("`apt pp` in `web/packages`"), "{}", errors[1]);
    assert!(errors.iter().all(|error| error.origin().is_some() && error.help_text().is_some()));
    assert_eq!(baked.calls, [""; 0]);
    assert!(!bench.folder.path().join("kiln.lock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_is_named_as_the_reason() {
    let bench = Bench::new();
    bench.write("site/index.html", "one");
    bench.write("site/style.css", "body {}");
    let document = || {
        let site = Layer::new("site").step(step::copy("site/", "/srv/www"));
        Document::new("shop").image(Image::new("web", bench.root()).base(scratch()).layer(site))
    };
    bench.bake(document()).await;
    bench.write("site/index.html", "two");
    let edited = bench.bake(document()).await;
    assert!(edited.plan[1].contains("index.html"), "{}", edited.plan[1]);
    assert!(!edited.plan[1].contains("style.css"), "{}", edited.plan[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_missing_input_is_reported_with_its_step() {
    let bench = Bench::new();
    let layer = Layer::new("l")
        .step(step::copy("gone", "/a"))
        .step(step::run("fine"))
        .step(step::template("gone.j2", "/b"));
    let document =
        Document::new("shop").image(Image::new("web", bench.root()).base(scratch()).layer(layer));
    let errors = bench.key(document).map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error.origin().is_some()));
    assert!(errors[0].to_string().contains("gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_is_kept_or_opened_when_asked() {
    let mut bench = Bench::new();
    bench.on_error = OnError::Keep;
    let kept = bench.bake(web(&bench, "fail", "b")).await;
    assert_eq!(kept.calls.last().unwrap(), "keep");
    assert!(kept.error().help_text().unwrap().contains("enter"));
    bench.on_error = OnError::Shell;
    let opened = bench.bake(web(&bench, "fail", "b")).await;
    assert_eq!(opened.calls[opened.calls.len() - 2..], ["shell", "close"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_layer_is_an_error_of_its_own_kind_and_then_rebuilt() {
    let bench = Bench::new();
    bench.bake(web(&bench, "a", "b")).await;
    bench.memory.state.lock().unwrap().damaged = Some("a".into());
    let damaged = bench.bake(web(&bench, "a", "c")).await;
    assert_eq!(damaged.error().kind(), ErrorKind::Damaged);
    let rebuilt = bench.bake(web(&bench, "a", "c")).await;
    assert_eq!(rebuilt.counts(), (2, 1, 0));
}
