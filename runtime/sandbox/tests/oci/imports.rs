//! What is imported, and what is refused.

use crate::layers::*;
use crate::layouts::*;
use kiln_sandbox::oci::resolve;
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[test]
fn a_small_layout_is_imported_with_how_it_runs() {
    let (layout, _) = small_layout(&small_tar(), None, "x");
    let (_into, image) = imported(layout.path(), "x");
    assert_eq!(fs::read_to_string(image.layers[0].dir.join("file")).unwrap(), "content");
    assert_eq!(image.user.as_deref(), Some("nobody"));
    assert_eq!((image.entrypoint, image.cmd), (vec!["/bin/x".to_owned()], vec![]));
}

#[test]
fn nothing_of_a_blob_with_another_content_is_kept() {
    let layer = small_tar();
    for (what, damage) in [
        (
            "another byte",
            Box::new(|bytes: &mut Vec<u8>| bytes[512] ^= 1) as Box<dyn Fn(&mut Vec<u8>)>,
        ),
        ("more", Box::new(|bytes: &mut Vec<u8>| bytes.extend([0; 512]))),
        ("less", Box::new(|bytes: &mut Vec<u8>| bytes.truncate(1024))),
        ("nothing", Box::new(Vec::clear)),
    ] {
        let (layout, digest) = small_layout(&layer, None, "x");
        let mut damaged = layer.clone();
        damage(&mut damaged);
        fs::write(blob(layout.path(), &json!(digest)), damaged).unwrap();
        let error = import_error(layout.path());
        assert!(error.contains(&digest), "{what}: {error}");
    }
    let (layout, digest) = small_layout(&layer, None, "x");
    fs::remove_file(blob(layout.path(), &json!(digest))).unwrap();
    assert!(import_error(layout.path()).contains(&digest));
}

#[test]
fn a_layer_that_the_configuration_does_not_mean_is_refused() {
    let other = format!("sha256:{}", "0".repeat(64));
    let (layout, _) = small_layout(&small_tar(), Some(&other), "x");
    assert!(import_error(layout.path()).contains(&other));
}

#[test]
fn a_layer_that_climbs_out_is_refused_with_its_member() {
    let mut layer = small_tar();
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes().copy_from_slice(&layer[..512]);
    header.as_mut_bytes()[..9].copy_from_slice(b"../victim");
    header.set_cksum();
    layer[..512].copy_from_slice(header.as_bytes());
    let (layout, _) = small_layout(&layer, None, "x");
    let error = import_error(layout.path());
    assert!(error.contains("`../victim`") && error.contains("byte 0"), "{error}");
}

#[test]
fn documents_beyond_the_limit_are_refused() {
    let (layout, _) = small_layout(&small_tar(), None, "x");
    let path = layout.path().join("index.json");
    let mut index = fs::read(&path).unwrap();
    index.resize(5 << 20, b' ');
    fs::write(&path, index).unwrap();
    let error = resolve(layout.path(), None).unwrap_err().chain();
    assert!(error.contains("4194304 bytes"), "{error}");

    let (layout, _) = small_layout(&small_tar(), None, "x");
    let manifest = vec![b' '; 5 << 20];
    let digest = put_blob(layout.path(), &manifest);
    put_index(layout.path(), &[(MANIFEST, &digest, manifest.len(), None)]);
    assert!(import_error(layout.path()).contains("4194304"));
}

#[test]
fn an_index_is_followed_to_the_image_of_this_machine() {
    let (layout, _) = small_layout(&small_tar(), None, "x");
    let image = json_of(&layout.path().join("index.json"))["manifests"][0].clone();
    let with_platform = |architecture: &str| {
        let mut image = image.clone();
        image["platform"] = json!({ "architecture": architecture, "os": "linux" });
        image
    };
    let here = oci_spec::image::Arch::default().to_string();
    let mut other = with_platform("s390x");
    other["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
    let nested = json!({ "schemaVersion": 2, "manifests": [other.clone(), with_platform(&here)] });
    let nested = nested.to_string().into_bytes();
    let digest = put_blob(layout.path(), &nested);
    put_index(layout.path(), &[(INDEX, &digest, nested.len(), Some("x"))]);
    let (_into, image) = imported(layout.path(), "x");
    assert_eq!(image.layers.len(), 1);

    let nested = json!({ "schemaVersion": 2, "manifests": [other] }).to_string().into_bytes();
    let digest = put_blob(layout.path(), &nested);
    put_index(layout.path(), &[(INDEX, &digest, nested.len(), Some("x"))]);
    assert!(import_error(layout.path()).contains("no image for linux/"));
}

#[test]
fn the_wrong_tag_or_none_lists_the_right_ones() {
    let (layout, _) = small_layout(&small_tar(), None, "x");
    let (one, two) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
    put_index(
        layout.path(),
        &[(MANIFEST, &one, 2, Some("red")), (MANIFEST, &two, 2, Some("blue"))],
    );
    assert_eq!(resolve(layout.path(), Some("red")).unwrap(), one);
    let error = resolve(layout.path(), None).unwrap_err();
    assert!(error.to_string().contains("several images"), "{error}");
    assert_eq!(error.help_text(), Some("it has the tags `blue`, `red`"));
    let error = resolve(layout.path(), Some("green")).unwrap_err();
    assert!(error.to_string().contains("`green`"), "{error}");
    assert_eq!(error.help_text(), Some("it has the tags `blue`, `red`"));
    let error = resolve(Path::new("/etc"), None).unwrap_err();
    assert!(error.to_string().contains("not an OCI image layout"), "{error}");
}

#[test]
fn documents_that_are_not_what_they_should_be_are_errors() {
    for index in
        ["", "{}", "[]", r#"{"schemaVersion":2}"#, r#"{"schemaVersion":1,"manifests":[]}"#, "\u{0}"]
    {
        let (layout, _) = small_layout(&small_tar(), None, "x");
        fs::write(layout.path().join("index.json"), index).unwrap();
        resolve(layout.path(), None).expect_err(index);
    }
    // A name that would leave the directory of blobs is no digest.
    let (layout, _) = small_layout(&small_tar(), None, "x");
    put_index(layout.path(), &[(MANIFEST, "sha256:../../../../etc/passwd", 2, None)]);
    resolve(layout.path(), None).unwrap_err();
    // A pipe is not waited for.
    let (layout, _) = small_layout(&small_tar(), None, "x");
    fs::remove_file(layout.path().join("index.json")).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, layout.path().join("index.json"), FileType::Fifo, mode, 0).unwrap();
    resolve(layout.path(), None).unwrap_err();
}

#[test]
fn a_parent_that_a_layer_does_not_describe_is_like_the_one_below() {
    // The second layer has `tmp/x` without `tmp`, and `lib/y` where the first has a link.
    let mut first = tar::Builder::new(Vec::new());
    let header = |kind, mode| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(7);
        header.set_size(0);
        header
    };
    first.append_data(&mut header(tar::EntryType::Directory, 0o1777), "tmp", &b""[..]).unwrap();
    first.append_data(&mut header(tar::EntryType::Directory, 0o755), "usr/lib", &b""[..]).unwrap();
    first.append_link(&mut header(tar::EntryType::Symlink, 0o777), "lib", "usr/lib").unwrap();
    let mut second = tar::Builder::new(Vec::new());
    for name in ["tmp/x", "lib/y", ".wh.never-there"] {
        second.append_data(&mut header(tar::EntryType::Regular, 0o644), name, &b""[..]).unwrap();
    }
    let (first, second) = (first.into_inner().unwrap(), second.into_inner().unwrap());
    let (dir, _) = small_layout(&first, None, "x");
    let layout = dir.path();
    let mut manifest =
        json_of(&blob(layout, &json_of(&layout.join("index.json"))["manifests"][0]["digest"]));
    let mut config = json_of(&blob(layout, &manifest["config"]["digest"]));
    let digest = put_blob(layout, &second);
    config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(json!(digest));
    let mut layer = manifest["layers"][0].clone();
    layer["digest"] = json!(digest);
    layer["size"] = json!(second.len());
    manifest["layers"].as_array_mut().unwrap().push(layer);
    let config = config.to_string().into_bytes();
    manifest["config"]["digest"] = json!(put_blob(layout, &config));
    manifest["config"]["size"] = json!(config.len());
    let manifest = manifest.to_string().into_bytes();
    put_index(layout, &[(MANIFEST, &put_blob(layout, &manifest), manifest.len(), Some("x"))]);

    let (_into, image) = imported(layout, "x");
    let second = &image.layers[1].dir;
    let tmp = fs::metadata(second.join("tmp")).unwrap();
    assert_eq!((tmp.mode() & 0o7777, tmp.gid()), (0o1777, 7));
    assert!(second.join("usr/lib/y").exists());
    assert!(!second.join("lib").exists());
    assert!(fs::symlink_metadata(second.join("never-there")).is_err(), "nothing to remove");
}

#[test]
fn gzip_layers_that_end_early_are_refused() {
    let tar = small_tar();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let whole = gzip.finish().unwrap();
    for end in [whole.len() - 4, whole.len() / 2, 5] {
        let (dir, _) = small_layout(&tar, None, "x");
        let layout = dir.path();
        let mut manifest =
            json_of(&blob(layout, &json_of(&layout.join("index.json"))["manifests"][0]["digest"]));
        manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
        manifest["layers"][0]["digest"] = json!(put_blob(layout, &whole[..end]));
        manifest["layers"][0]["size"] = json!(end);
        let manifest = manifest.to_string().into_bytes();
        put_index(layout, &[(MANIFEST, &put_blob(layout, &manifest), manifest.len(), Some("x"))]);
        let error = import_error(layout);
        assert!(error.contains("byte"), "{end}: {error}");
    }
}
