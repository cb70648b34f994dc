//! What is exported, and what is not.

use crate::layers::*;
use kiln_engine::Digest;
use kiln_sandbox::oci::{ExportImage, ExportLayer, export, resolve};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    let exported = layers.export(&layout, "one");
    assert_eq!(exported.layers, 2, "the empty layer is not exported");
    assert_eq!(resolve(&layout, Some("one")).unwrap(), exported.manifest_digest);
    assert_eq!(resolve(&layout, None).unwrap(), exported.manifest_digest);
    let (_into, image) = imported(&layout, "one");
    assert_eq!(image.layers.len(), 2);
    assert_same_tree(&image.layers[0].dir, &layers.layer("base"));
    assert_same_tree(&image.layers[1].dir, &layers.layer("site"));
    assert_eq!(image.layers[1].created_by, "kiln layer site");
    assert_eq!(image.env, ["LANG=C.UTF-8"]);
    assert_eq!(image.cmd, ["/sbin/init"]);
    let times = tree(&image.layers[0].dir, true);
    assert!(times.values().all(|line| line.contains(" 1577836800")));
}

#[test]
fn the_configuration_says_how_the_image_starts_and_stops() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    layers.export(&layout, "one");
    let index = json_of(&layout.join("index.json"));
    let manifest = json_of(&blob(&layout, &index["manifests"][0]["digest"]));
    let config = json_of(&blob(&layout, &manifest["config"]["digest"]));
    assert_eq!(config["config"]["Cmd"], json!(["/sbin/init"]));
    // `/sbin/init` leads to systemd through three links.
    assert_eq!(config["config"]["StopSignal"], json!("SIGRTMIN+3"));
    assert_eq!(config["created"], json!("2020-01-01T00:00:00Z"));
    assert_eq!(config["history"].as_array().unwrap().len(), 3);
    assert_eq!(config["history"][1]["empty_layer"], json!(true));
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn two_exports_are_the_same_byte_by_byte() {
    let (one, two) = (Layers::new(), Layers::new());
    let (first, second) = (one.dir.path().join("layout"), two.dir.path().join("another name"));
    // Another time, another order in the directory.
    fs::rename(two.layer("base/etc"), two.layer("base/moved")).unwrap();
    fs::rename(two.layer("base/moved"), two.layer("base/etc")).unwrap();
    let exported = one.export(&first, "one");
    assert_eq!(exported, two.export(&second, "one"));
    run("diffutils", &["diff", "-r", text(&first), text(&second)]);
    let (first, second) = (one.dir.path().join("a.tar"), two.dir.path().join("b.tar"));
    one.export(&first, "one");
    two.export(&second, "one");
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
}

#[test]
fn a_second_export_compresses_nothing_and_other_tags_stay() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    let cache = layers.dir.path().join("cache");
    let first = layers.export(&layout, "one");
    assert_eq!(first.cached, 0);
    let only_base = layers.export_from(&["base"], &layout, "two", &cache).unwrap();
    assert_eq!((only_base.layers, only_base.cached), (1, 1));
    assert_eq!(resolve(&layout, Some("one")).unwrap(), first.manifest_digest);
    assert_eq!(resolve(&layout, Some("two")).unwrap(), only_base.manifest_digest);
    // The tag moves.
    let moved = layers.export_from(&["base"], &layout, "one", &cache).unwrap();
    assert_eq!(resolve(&layout, Some("one")).unwrap(), moved.manifest_digest);
    assert_eq!(json_of(&layout.join("index.json"))["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn a_damaged_blob_in_the_cache_is_made_again() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    let first = layers.export(&layout, "one");
    let mut damaged = 0;
    for entry in fs::read_dir(layers.dir.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 3, "one blob for each layer");
    let again = layers.dir.path().join("again");
    let second = layers.export(&again, "one");
    assert_eq!(second.manifest_digest, first.manifest_digest);
    run("diffutils", &["diff", "-r", text(&layout), text(&again)]);
}

#[test]
fn a_layer_that_is_not_what_was_built_is_not_exported() {
    let layers = Layers::new();
    let dir = layers.layer("site");
    let expected = |path: &Path| (path == Path::new("etc/greeting")).then(|| Digest::of(b"other"));
    let digest = Digest::of(b"site");
    let layer = ExportLayer { name: "site", dir: &dir, digest, expected: Some(&expected) };
    let image = ExportImage { layers: vec![layer], env: &BTreeMap::new(), start: &[] };
    let layout = layers.dir.path().join("layout");
    let cache = layers.dir.path().join("cache");
    let error = export(&image, &layout, "one", &cache).unwrap_err().chain();
    assert!(error.contains("`etc/greeting`") && error.contains("damaged"), "{error}");
    assert!(!layout.exists());
    let right = |path: &Path| (path == Path::new("etc/greeting")).then(|| Digest::of(b"hello\n"));
    let layer = ExportLayer { expected: Some(&right), ..image.layers[0] };
    let image = ExportImage { layers: vec![layer], ..image };
    export(&image, &layout, "one", &cache).unwrap();
}

#[test]
fn names_that_a_layer_cannot_hold_are_refused() {
    let layers = Layers::new();
    fs::write(layers.layer("site/etc/.wh.x"), "").unwrap();
    let layout = layers.dir.path().join("layout");
    let error = layers.export_from(&["site"], &layout, "one", &layers.dir.path().join("cache"));
    let error = error.unwrap_err().chain();
    assert!(error.contains(".wh.x"), "{error}");
}

#[test]
fn a_directory_with_something_else_in_it_is_not_written_to() {
    let layers = Layers::new();
    let home = layers.dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter"), "x").unwrap();
    let cache = layers.dir.path().join("cache");
    let error = layers.export_from(&["site"], &home, "one", &cache).unwrap_err();
    assert!(error.chain().contains("not an OCI image layout"), "{}", error.chain());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    for tag in ["", "a b", "a/b", "-x", "a:b"] {
        let layout = layers.dir.path().join("layout");
        layers.export_from(&["site"], &layout, tag, &cache).expect_err(tag);
    }
}
