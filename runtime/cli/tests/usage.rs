//! Arguments, exit codes and printed languages.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use support::Project;

fn image(project: &Project) -> Image {
    project.empty("small").layer(Layer::new("only").step(step::file("/etc/only").content("x")))
}

#[test]
fn a_usage_error_ends_with_64() {
    let project = Project::with_own_store();
    for args in
        [&["bakee"][..], &["bake", "--jobs", "0"], &["bake", "--on-error", "ignore"], &["explain"]]
    {
        assert_eq!(project.run(image(&project), args).code, Some(64), "{args:?}");
    }
    let help = project.run(image(&project), &["--help"]).done();
    assert!(help.stdout.contains("explain"), "{}", help.stdout);
}

#[test]
fn an_unknown_image_is_an_error_that_lists_the_known() {
    let project = Project::with_own_store();
    let ran = project.run(image(&project), &["plan", "smal"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no image is named `smal`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("small"), "{}", ran.stderr);
}

#[test]
fn the_graph_is_printed_in_two_languages() {
    let project = Project::with_own_store();
    let dot = project.run(image(&project), &["graph"]).done().stdout;
    assert!(
        dot.starts_with("digraph") && dot.contains("n0 -> n1") && dot.contains("small/only"),
        "{dot}"
    );
    let mermaid = project.run(image(&project), &["graph", "--as", "mermaid"]).done().stdout;
    assert!(mermaid.starts_with("graph LR") && mermaid.contains("n0 --> n1"), "{mermaid}");
}

#[test]
fn explain_shows_what_a_key_covers() {
    let project = Project::with_own_store();
    let before = project.run(image(&project), &["explain", "small/only"]).done().stdout;
    assert!(before.contains("small/only is built: never built here"), "{before}");
    assert!(before.contains("/etc/only"), "{before}");
    project.bake(image(&project)).done();
    let after = project.run(image(&project), &["explain", "small"]).done().stdout;
    assert!(after.contains("small/only is cached"), "{after}");
    let unknown = project.run(image(&project), &["explain", "small/onyl"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("small/only"), "{}", unknown.stderr);
}

#[test]
fn a_plan_is_one_json_document() {
    let project = Project::with_own_store();
    let ran = project.run(image(&project), &["plan", "--format", "json"]).done();
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan["build"], 2);
    assert_eq!(plan["nodes"][1]["layer"], "only");
}

#[test]
fn no_document_is_an_error_in_words() {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_kiln-host"))
        .arg("plan")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(stderr.contains("cargo xtask"), "{stderr}");
}

#[test]
fn a_place_or_tag_that_no_export_can_have_is_said_before_anything_is_baked() {
    let project = Project::with_own_store();
    project.write("file", "x");
    project.write("full/of", "something else");
    for (output, tag) in [("out", "a/b"), ("file", "v1"), ("full", "v1")] {
        let args = ["export", "small", "--output", output, "--tag", tag, "--format", "json"];
        let ran = project.run(image(&project), &args);
        assert_eq!(ran.code, Some(1), "{output} {tag}");
        assert_eq!(ran.failure()["event"], "error", "{output} {tag}");
        assert!(!project.store.join("sandbox").exists(), "{output} {tag}");
    }
}

#[test]
fn an_image_for_another_builder_is_refused_by_a_host_that_lacks_it() {
    let project = Project::with_own_store();
    let ran = project.run(image(&project).builder(ec2()), &["plan"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no builder is named `ec2`"), "{}", ran.stderr);
    // The same recipe is built here when somebody says so.
    let plan =
        project.run(image(&project).builder(ec2()), &["plan", "--builder", "sandbox"]).done();
    assert!(plan.stdout.contains("2 to build"), "{}", plan.stdout);
}

/// Of a local image, one on EC2 that stands on it, and a deployment in each of two regions.
fn mixed(project: &Project) -> Document {
    let there = || project.empty("there").base(image(project)).builder(ec2());
    let run = |name: &str, region: &str| {
        let servers = target::ec2().region(region).instance_type("t3.micro");
        Deployment::new(name).image(image(project)).target(servers).replicas(1)
    };
    let document = Document::new("shop").image(there());
    document.deployment(run("here", "eu-west-1")).deployment(run("far", "us-east-1"))
}

#[test]
fn recipes_for_several_builders_and_regions_are_checked_and_drawn_together() {
    let project = Project::with_own_store();
    let checked = project.run_document(mixed(&project), &["check"]).done().stdout;
    assert_eq!(checked, "2 images, 4 layers and bases, 2 deployments: no mistakes\n");
    let graph = project.run_document(mixed(&project), &["graph"]).done().stdout;
    for label in ["small/only (sandbox)", "small/only (ec2)", "there/image (ec2)", "here", "far"] {
        assert!(graph.contains(&format!("[label=\"{label}\"]")), "{label} in {graph}");
    }
    // An input that is not there is found for a builder that this host lacks.
    let copy = Layer::new("copy").step(step::copy("nowhere", "/x"));
    let broken = project.empty("broken").builder(ec2()).layer(copy);
    let ran = project.run(broken, &["check"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}

#[test]
fn deployments_are_refused_by_a_host_that_cannot_run_them() {
    let project = Project::with_own_store();
    for command in [&["plan"][..], &["deploy", "--yes"], &["status"], &["destroy", "here"]] {
        let ran = project.run_document(mixed(&project), command);
        assert_eq!(ran.code, Some(1), "{command:?}");
        assert!(ran.stderr.contains("no builder is named `ec2`"), "{command:?}: {}", ran.stderr);
    }
}

#[test]
fn a_layer_named_as_what_every_image_has_is_refused() {
    let project = Project::with_own_store();
    for name in ["image", "base"] {
        let layer = Layer::new(name).step(step::file("/x").content("x"));
        let ran = project.run(project.empty("small").layer(layer), &["check"]);
        assert_eq!(ran.code, Some(1));
        let message = format!("a layer cannot be named `{name}`");
        assert!(ran.stderr.contains(&message), "{}", ran.stderr);
    }
}

#[test]
fn gc_says_whom_it_cleans_up_after() {
    let project = Project::with_own_store();
    let ran = project.run(image(&project), &["gc", "--dry-run"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("--builder ec2"), "{}", ran.stderr);
}

#[test]
fn packers_readers_find_what_was_baked() {
    let project = Project::with_own_store();
    project.run(image(&project), &["bake", "--packer-manifest"]).done();
    let text = std::fs::read_to_string(project.path("packer-manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let build = &manifest["builds"][0];
    assert_eq!((&build["name"], &build["builder_type"]), (&"small".into(), &"kiln.sandbox".into()));
    assert_eq!(build["packer_run_uuid"], manifest["last_run_uuid"]);
    assert!(build["build_time"].as_u64().unwrap() > 1_700_000_000);
    assert!(!build["artifact_id"].as_str().unwrap().is_empty());
}
