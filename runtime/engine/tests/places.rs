//! The same images at several places and for several architectures: what they share, and what they do not.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use kiln_engine::bake::Resolve;
use kiln_engine::key::Target;
use kiln_engine::lock::EntryId;
use support::{Bench, locked};

fn web(bench: &Bench) -> Document {
    let image = Image::new("web", bench.root())
        .base(debian("bookworm"))
        .layer(Layer::new("packages").step(step::apt(["pp"])));
    Document::new("shop").image(image)
}

/// From now on at another place, where nothing of the others is.
fn go(bench: &mut Bench, place: &str, architecture: &str) {
    let (builder, place) = ("memory".into(), Some(place.to_owned()));
    bench.target = Target { builder, place, architecture: architecture.into() };
    bench.memory.state.lock().unwrap().index.clear();
}

/// One on which images are artifacts of their own, as on EC2.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.memory.publishes = true;
    bench.memory.outputs = false;
    bench.memory.state.lock().unwrap().outside = locked("1.0");
    bench
}

/// The entries of the lock file: request and architecture.
fn entries(bench: &Bench) -> Vec<(String, String)> {
    let entries = bench.lock().entries().into_keys();
    let short = |request: String| request.replace(" from http://deb.debian.org/debian", "");
    entries.map(|EntryId { request, architecture, .. }| (short(request), architecture)).collect()
}

fn resolved(calls: &[String]) -> usize {
    calls.iter().filter(|call| call.starts_with("resolve ")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_is_resolved_at_each_place_and_a_package_once_for_an_architecture() {
    let mut bench = bench();
    go(&mut bench, "eu", "amd64");
    let first = bench.bake(web(&bench)).await;
    let packages = resolved(&first.calls) - 1;
    assert!(packages > 0, "{:?}", first.calls);
    // What there is outside has moved on.
    bench.memory.state.lock().unwrap().outside = locked("2.0");
    go(&mut bench, "us", "amd64");
    let second = bench.bake(web(&bench)).await;
    assert_eq!(resolved(&second.calls), 1, "the base alone: {:?}", second.calls);
    assert!(second.calls.contains(&"install 1.0".to_owned()), "{:?}", second.calls);
    go(&mut bench, "us", "arm64");
    let third = bench.bake(web(&bench)).await;
    assert_eq!(resolved(&third.calls), 1 + packages, "{:?}", third.calls);
    let lines = [
        ("apt pp", "amd64"),
        ("apt pp", "arm64"),
        ("debian bookworm in eu", "amd64"),
        ("debian bookworm in us", "amd64"),
        ("debian bookworm in us", "arm64"),
    ];
    let mut found = entries(&bench);
    found.sort_unstable();
    assert_eq!(found, lines.map(|(request, kind)| (request.to_owned(), kind.to_owned())));
    // With all of them locked, each place builds of its own.
    bench.resolve = Resolve::Nothing;
    for (place, kind, version) in [("eu", "amd64", "1.0"), ("us", "arm64", "2.0")] {
        go(&mut bench, place, kind);
        let again = bench.bake(web(&bench)).await;
        assert!(again.calls.contains(&format!("install {version}")), "{:?}", again.calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_something_is_built_is_told_from_the_last_build_at_the_same_place() {
    let mut bench = bench();
    let image = |bench: &Bench, text: &str| {
        let layer = Layer::new("page").step(step::file("/page").content(text));
        let image = Image::new("web", bench.root()).base(debian("bookworm")).layer(layer);
        Document::new("shop").image(image)
    };
    go(&mut bench, "eu", "amd64");
    bench.bake(image(&bench, "one")).await;
    go(&mut bench, "us", "amd64");
    let there = bench.bake(image(&bench, "one")).await;
    assert_eq!(there.plan[1], "web/page: never built here");
    bench.bake(image(&bench, "two")).await;
    go(&mut bench, "eu", "amd64");
    let here = bench.bake(image(&bench, "two")).await;
    assert!(here.plan[1].starts_with("web/page: the text"), "{:?}", here.plan);
}
