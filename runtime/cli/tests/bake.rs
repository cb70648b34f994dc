//! `bake` on real Debian roots: what is built, what stays, and what is said.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use support::Project;

#[test]
fn an_unchanged_image_is_cached_and_an_edit_rebuilds_from_there() {
    let project = Project::new();
    project.write("site/index.html", "one");
    let image = || {
        project
            .debian("web")
            .layer(
                Layer::new("first")
                    .step(step::run(format!("echo {:?} > /first", project.folder.path()))),
            )
            .layer(Layer::new("site").step(step::copy("site", "/srv/www")))
            .layer(Layer::new("last").step(step::run("cp /srv/www/index.html /copy")))
    };
    assert_eq!(project.bake(image()).done().counts(), (3, 1, 0));
    assert_eq!(project.bake(image()).done().counts(), (0, 4, 0));
    project.write("site/index.html", "two");
    let plan = project.run(image(), &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(2), "{}", plan.stderr);
    assert!(plan.stdout.contains("`index.html` changed"), "{}", plan.stdout);
    assert!(plan.stdout.contains("`web/site` is built"), "{}", plan.stdout);
    assert_eq!(project.bake(image()).done().counts(), (2, 2, 0));
    let plan = project.run(image(), &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
}

#[test]
fn a_layer_rebuilt_to_the_same_content_leaves_the_next_cached() {
    let project = Project::new();
    let unique = project.folder.path().display().to_string();
    let image = |comment: &str| {
        project
            .debian("cut")
            .layer(Layer::new("low").step(step::run(format!("echo {unique} > /low # {comment}"))))
            .layer(Layer::new("high").step(step::run("cat /low > /high")))
    };
    assert_eq!(project.bake(image("one")).done().counts(), (2, 1, 0));
    assert_eq!(project.bake(image("two")).done().counts(), (1, 2, 0));
}

#[test]
fn a_step_that_fails_is_shown_with_its_output_and_line_and_the_next_bake_resumes_there() {
    let project = Project::new();
    let unique = project.folder.path().display().to_string();
    let image = |command: &str| {
        project
            .debian("resume")
            .layer(Layer::new("sound").step(step::run(format!("echo {unique} > /sound"))))
            .layer(Layer::new("broken").step(step::run("true")).step(step::run(command)))
            .layer(Layer::new("above").step(step::run("test -e /fixed")))
    };
    let broken = "echo it does not work >&2; exit 3";
    let failed = project.bake(image(broken));
    let failure = failed.failed_with("step `run echo it does not work");
    assert!(failure["message"].as_str().unwrap().contains("status 3"), "{failure:#}");
    assert_eq!(failure["output"], serde_json::json!(["it does not work"]));
    assert_eq!(failed.counts(), (1, 1, 1));
    let text = project.run(image(broken), &["bake"]);
    assert!(text.stderr.contains("│ it does not work"), "{}", text.stderr);
    assert!(text.stderr.contains("bake.rs:"), "{}", text.stderr);
    assert_eq!(project.bake(image("touch /fixed")).done().counts(), (2, 2, 0));
}

#[test]
fn a_file_that_vanished_is_named_with_its_step() {
    let project = Project::new();
    let image = project.debian("gone").layer(Layer::new("l").step(step::copy("gone.txt", "/gone")));
    let failure = project.bake(image).failed_with("gone.txt");
    assert!(failure["help"].is_string(), "{failure:#}");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let project = Project::new();
    let layer = Layer::new("l").step(step::copy("a", "relative")).step(step::user("Root"));
    let ran = project.run(project.debian("bad").layer(layer), &["check", "--format", "json"]);
    assert_eq!(ran.code, Some(1));
    let messages: Vec<String> = ran.events().iter().map(|e| e["message"].to_string()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
}

#[test]
fn a_package_that_does_not_exist_is_apts_own_error_at_the_step() {
    let project = Project::new();
    let layer = Layer::new("packages").step(step::apt(["no-such-package-anywhere"]));
    let ran = project.bake(project.debian("nopkg").layer(layer));
    let failure = ran.failed_with("step `apt no-such-package-anywhere`");
    let output = failure["output"].to_string();
    assert!(output.contains("Unable to locate package no-such-package-anywhere"), "{failure:#}");
}

#[test]
fn a_base_that_cannot_be_fetched_says_so_at_the_base() {
    let project = Project::new();
    let base = debian("bookworm").mirror("http://127.0.0.1:9/debian");
    let image = Image::new("nobase", project.folder.path().to_str().unwrap()).base(base);
    let failure = project.bake(image).failed_with("");
    assert!(failure["output"].to_string().contains("127.0.0.1"), "{failure:#}");
    assert!(failure["help"].is_string(), "{failure:#}");
}

#[test]
fn a_step_that_never_ends_or_eats_memory_is_stopped() {
    let project = Project::new();
    let slow = step::run("sleep 1000").timeout("300ms");
    let failure = project.bake(project.debian("slow").layer(Layer::new("l").step(slow)));
    failure.failed_with("out of time");
    let greedy = step::run("head -c 2G /dev/zero | tail").memory("64MiB");
    let failure = project.bake(project.debian("greedy").layer(Layer::new("l").step(greedy)));
    failure.failed_with("out of memory");
}

#[test]
fn locked_refuses_to_resolve_and_keeps_the_lock_file() {
    let project = Project::new();
    let before = std::fs::read(project.path("kiln.lock")).unwrap();
    let image = || project.debian("locked").layer(Layer::new("l").step(step::apt(["hello"])));
    let refused = project.run(image(), &["bake", "--locked", "--format", "json"]);
    let failure = refused.failed_with("kiln.lock has no entry for `apt hello`");
    assert!(failure["help"].as_str().unwrap().contains("cargo xtask update"), "{failure:#}");
    assert_eq!(std::fs::read(project.path("kiln.lock")).unwrap(), before);
    project.bake(image()).done();
    assert_ne!(std::fs::read(project.path("kiln.lock")).unwrap(), before);
    project.run(image(), &["bake", "--locked"]).done();
    let updated = project.run(image(), &["update"]).done();
    assert!(updated.stdout.contains("kiln.lock is up to date"), "{}", updated.stdout);
}

#[test]
fn an_environment_reaches_later_layers_and_the_image() {
    let project = Project::new();
    let image = project
        .debian("env")
        .layer(Layer::new("one").step(step::env([("GREETING", "hello")])))
        .layer(Layer::new("two").step(step::run("test \"$GREETING\" = hello")))
        .test(Test::new("login").run("grep -q GREETING=.hello /etc/environment"));
    project.run(image, &["test"]).done();
}

#[test]
fn a_test_that_fails_fails_the_command_and_says_why() {
    let project = Project::new();
    let image = project
        .debian("tests")
        .test(Test::new("good").run("test -e /etc/debian_version"))
        .test(Test::new("bad").run("echo not here; exit 1").within("1s"));
    let ran = project.run(image, &["test", "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let events = ran.events();
    let test = |name: &str| events.iter().find(|event| event["test"] == name).unwrap().clone();
    assert!(test("good")["failure"].is_null());
    assert!(test("bad")["failure"].is_string());
    assert!(test("bad")["output"].to_string().contains("not here"), "{:#}", test("bad"));
}

#[test]
fn an_exported_image_is_a_base_again() {
    let project = Project::new();
    // The same content would be in the store of the last run.
    let own = Layer::new("unique")
        .step(step::file("/unique").content(project.folder.path().display().to_string()));
    let low = project
        .debian("low")
        .layer(own)
        .layer(
            Layer::new("mark").step(step::run("echo low > /low; rm /etc/issue; chmod 1777 /srv")),
        )
        .layer(
            Layer::new("own").step(step::file("/owned").content("x").owner("daemon").mode(0o640)),
        );
    project.run(low, &["export", "low", "--tag", "v1", "--output", "vendor"]).done();
    let high = || {
        Image::new("high", project.folder.path().to_str().unwrap())
            .base(oci_layout("vendor").tag("v1"))
            .layer(Layer::new("look").step(step::run(
                "grep -q low /low; test ! -e /etc/issue; test \"$(stat -c %a /srv)\" = 1777\n\
                 test \"$(stat -c '%U %a' /owned)\" = 'daemon 640'",
            )))
            .test(
                Test::new("boots").run("systemctl is-system-running --wait || systemctl --failed"),
            )
    };
    assert_eq!(project.bake(high()).done().counts(), (2, 0, 0));
    assert_eq!(project.bake(high()).done().counts(), (0, 2, 0));
    let wrong = Image::new("wrong", project.folder.path().to_str().unwrap())
        .base(oci_layout("vendor").tag("v2"));
    project.bake(wrong).failed_with("`v2`");
}
