//! No false hits: whatever changes in a recipe or its inputs moves the key, one thing at a time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::prelude::*;
use kiln_engine::key::{Parent, cache_key};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use support::Bench;

/// An image that uses every step with every option.
fn everything(bench: &Bench) -> Document {
    bench.write("tree/a.txt", "a");
    bench.write("tree/sub/b.txt", "b");
    bench.write("file.txt", "file");
    bench.write("script.sh", "#!/bin/sh\n");
    bench.write("t.j2", "{{ one }} {{ two }}\n");
    let layer = Layer::new("layer")
        .step(step::copy("tree", "/tree").mode(0o600).directory_mode(0o700).owner("www:data"))
        .step(step::copy("file.txt", "/file").owner("root"))
        .step(step::template("t.j2", "/t").vars([("one", 1), ("two", 2)]).mode(0o640))
        .step(step::file("/text").content("text"))
        .step(step::file("/dir").directory(true).mode(0o711))
        .step(step::file("/link").link("/target"))
        .step(step::file("/gone").absent(true))
        .step(
            step::run("true")
                .env([("A", "1")])
                .cwd("/tmp")
                .user("www")
                .network(true)
                .timeout("1s")
                .memory("1MiB"),
        )
        .step(step::script("script.sh").args(["x", "y"]))
        .step(step::reboot())
        .step(step::unit("x.service").content("[Unit]\n").enable(true));
    Document::new("shop").image(Image::new("web", bench.root()).base(scratch()).layer(layer))
}

fn key_of(bench: &Bench, document: &Value) -> Result<String, String> {
    let document: Document =
        serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let (keyed, ..) = bench.key(document).map_err(|errors| errors[0].chain())?;
    let mut parent = Parent::None;
    let mut key = String::new();
    for index in keyed.graph().indices() {
        let made = cache_key("memory 1", "amd64", &parent, keyed.fields(index).unwrap());
        key = made.to_string();
        parent = Parent::Key(made);
    }
    Ok(key)
}

/// Every way to change one value of the Document below `at`.
fn mutations(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let mut inside = Vec::new();
                mutations(inner, &format!("{at}/{name}"), &mut inside);
                for (path, changed) in inside {
                    let mut map = map.clone();
                    map.insert(name.clone(), changed);
                    found.push((path, Value::Object(map)));
                }
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                let mut inside = Vec::new();
                mutations(inner, &format!("{at}/{index}"), &mut inside);
                for (path, changed) in inside {
                    let mut list = list.clone();
                    list[index] = changed;
                    found.push((path, Value::Array(list)));
                }
                let mut shorter = list.clone();
                shorter.remove(index);
                found.push((format!("{at}/{index} removed"), Value::Array(shorter)));
            }
            if list.len() > 1 {
                let mut swapped = list.clone();
                swapped.swap(0, 1);
                found.push((format!("{at} swapped"), Value::Array(swapped)));
            }
        }
        Value::String(text) => found.push((at.into(), json!(format!("{text}x")))),
        Value::Number(number) => found.push((at.into(), json!(number.as_u64().unwrap() + 1))),
        Value::Bool(flag) => found.push((at.into(), json!(!flag))),
        // An option that is not set: its values are mutated where they are.
        Value::Null => {}
    }
}

/// What a key must not cover.
fn is_only_for_people(path: &str) -> bool {
    let labels =
        ["/title", "/kind", "/origin/file", "/origin/line", "/origin/column", "/name", "/doc"];
    let bounds = ["/limits/time_ms", "/limits/memory"];
    labels.iter().chain(&bounds).any(|label| path.ends_with(label))
}

#[test]
fn every_change_of_a_recipe_moves_the_key_and_words_do_not() {
    let bench = Bench::new();
    let document = serde_json::to_value(everything(&bench)).unwrap();
    let layers = &document["images"][0]["layers"];
    let before = key_of(&bench, &document).unwrap();
    let mut found = Vec::new();
    mutations(layers, "", &mut found);
    let mut moved = 0;
    for (path, layers) in found {
        let mut changed = document.clone();
        changed["images"][0]["layers"] = layers;
        match key_of(&bench, &changed) {
            Ok(key) if is_only_for_people(&path) => assert_eq!(key, before, "{path} moved the key"),
            Ok(key) => {
                assert_ne!(key, before, "{path} did not move the key");
                moved += 1;
            }
            // A path that is not there any more, or an op that nobody knows, is no false hit.
            Err(error) => assert!(
                path.contains("source") || path.contains("path") || error.contains("variant"),
                "{path}: {error}"
            ),
        }
    }
    assert!(moved > 60, "only {moved} mutations were tried");
}

#[test]
fn every_change_of_an_input_moves_the_key() {
    let bench = Bench::new();
    let document = serde_json::to_value(everything(&bench)).unwrap();
    let before = key_of(&bench, &document).unwrap();
    let folder = bench.folder.path();
    for path in ["tree/a.txt", "tree/sub/b.txt", "file.txt", "script.sh", "t.j2"] {
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        bench.write(path, &format!("{text}!"));
        assert_ne!(key_of(&bench, &document).unwrap(), before, "{path}");
        bench.write(path, &text);
        assert_eq!(key_of(&bench, &document).unwrap(), before, "{path} restored");
    }
    std::fs::set_permissions(folder.join("file.txt"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_ne!(key_of(&bench, &document).unwrap(), before, "executable");
    std::fs::set_permissions(folder.join("file.txt"), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(key_of(&bench, &document).unwrap(), before, "what git does not keep");
    std::os::unix::fs::symlink("a.txt", folder.join("tree/link")).unwrap();
    assert_ne!(key_of(&bench, &document).unwrap(), before, "a new link in a tree");
}

#[test]
fn of_where_an_image_is_baked_only_what_reaches_it_moves_its_key() {
    let mut bench = Bench::new();
    let layer = || Layer::new("layer").step(step::run("true"));
    let image = |builder| {
        let image = Image::new("web", bench.root()).base(scratch()).layer(layer()).builder(builder);
        serde_json::to_value(Document::new("shop").image(image)).unwrap()
    };
    let plain = image(ec2());
    let placed = image(
        ec2()
            .region("eu-west-1")
            .instance_type("m7i.large")
            .subnet("subnet-0123456789abcdef0")
            .security_groups(["sg-0123456789abcdef0"])
            .instance_profile("baker")
            .tags([("team", "web")])
            .address(Address::Private),
    );
    let handed = image(ec2().user_data("#cloud-config\n"));
    let larger = image(ec2().volume(Volume::new().size(16)));
    let key = |bench: &Bench, document| key_of(bench, document).unwrap();
    assert_eq!(key(&bench, &plain), key(&bench, &placed));
    assert_ne!(key(&bench, &plain), key(&bench, &handed));
    // A volume is the image's, not the layer's.
    assert_eq!(key(&bench, &plain), key(&bench, &larger));
    bench.memory.publishes = true;
    assert_ne!(key(&bench, &plain), key(&bench, &larger));
}

#[test]
fn two_checkouts_have_equal_keys() {
    let (here, there) = (Bench::new(), Bench::new());
    let key =
        |bench: &Bench| key_of(bench, &serde_json::to_value(everything(bench)).unwrap()).unwrap();
    assert_eq!(key(&here), key(&there));
}

#[test]
fn a_golden_key_of_every_step_changes_only_with_the_format() {
    let bench = Bench::new();
    let key = key_of(&bench, &serde_json::to_value(everything(&bench)).unwrap()).unwrap();
    expect_test::expect!["96ed0777ae0f7b991418698eeac39c7e3d15b0baf34e0b645f799ed78c451f2c"]
        .assert_eq(&key);
}
