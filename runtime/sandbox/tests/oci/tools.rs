//! Other tools read what we write, and we read what they write.

use crate::layers::*;
use crate::layouts::*;
use kiln_engine::Digest;
use kiln_sandbox::oci::{ExportImage, ExportLayer, export, resolve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

#[test]
fn skopeo_reads_and_copies_what_is_exported() {
    let layers = Layers::new();
    let dir = layers.dir.path();
    let layout = dir.join("layout");
    let exported = layers.export(&layout, "one");
    let source = format!("oci:{}:one", text(&layout));
    let seen: Value =
        serde_json::from_str(&run("skopeo", &["skopeo", "inspect", &source])).unwrap();
    assert_eq!(seen["Digest"], json!(exported.manifest_digest));
    assert_eq!(seen["Layers"].as_array().unwrap().len(), 2);

    let copy = dir.join("copy");
    let target = format!("oci:{}:one", text(&copy));
    let policy = "--insecure-policy";
    run("skopeo", &["skopeo", policy, "copy", "-q", &source, &target]);
    // What it wrote comes back as what was exported.
    let (_into, image) = imported(&copy, "one");
    assert_same_tree(&image.layers[0].dir, &layers.layer("base"));
    assert_same_tree(&image.layers[1].dir, &layers.layer("site"));

    let docker = format!("docker-archive:{}:kiln:one", text(&dir.join("docker.tar")));
    run("skopeo", &["skopeo", policy, "copy", "-q", &source, &docker]);
    let back = format!("oci:{}:one", text(&dir.join("back")));
    let archive = format!("docker-archive:{}", text(&dir.join("docker.tar")));
    run("skopeo", &["skopeo", policy, "copy", "-q", &archive, &back]);
    let (_into, image) = imported(&dir.join("back"), "one");
    assert_same_tree(&image.layers[1].dir, &layers.layer("site"));

    layers.export(&dir.join("image.tar"), "one");
    let archive = format!("oci-archive:{}:one", text(&dir.join("image.tar")));
    let seen: Value =
        serde_json::from_str(&run("skopeo", &["skopeo", "inspect", &archive])).unwrap();
    assert_eq!(seen["Digest"], json!(exported.manifest_digest));
}

#[test]
fn docker_manifests_and_zstd_layers_are_imported() {
    let layers = Layers::new();
    let dir = layers.dir.path();
    let layout = dir.join("layout");
    layers.export(&layout, "one");
    let source = format!("oci:{}:one", text(&layout));
    for (name, arguments) in [
        ("docker", &["--format=v2s2"][..]),
        ("zstd", &["--dest-compress-format=zstd", "--dest-compress"]),
    ] {
        let copy = dir.join(name);
        let target = match name {
            "docker" => format!("dir:{}", text(&copy)),
            _ => format!("oci:{}:one", text(&copy)),
        };
        let mut argv = vec!["skopeo", "--insecure-policy", "copy", "-q"];
        argv.extend(arguments);
        argv.extend([source.as_str(), target.as_str()]);
        run("skopeo", &argv);
        if name == "docker" {
            // The same blobs and Docker's manifest, laid out as an image layout.
            let blobs = copy.join("blobs/sha256");
            fs::create_dir_all(&blobs).unwrap();
            let manifest = fs::read(copy.join("manifest.json")).unwrap();
            for entry in fs::read_dir(&copy).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name().len() == 64 {
                    fs::rename(entry.path(), blobs.join(entry.file_name())).unwrap();
                }
            }
            let digest = put_blob(&copy, &manifest);
            let media_type = "application/vnd.docker.distribution.manifest.v2+json";
            put_index(&copy, &[(media_type, &digest, manifest.len(), Some("one"))]);
        }
        let (_into, image) = imported(&copy, "one");
        assert_same_tree(&image.layers[0].dir, &layers.layer("base"));
        assert_same_tree(&image.layers[1].dir, &layers.layer("site"));
    }
    let index = json_of(&dir.join("zstd/index.json"));
    let manifest = json_of(&blob(&dir.join("zstd"), &index["manifests"][0]["digest"]));
    assert!(manifest["layers"][0]["mediaType"].as_str().unwrap().ends_with("+zstd"), "{manifest}");
    let manifest = json_of(&blob(
        &dir.join("docker"),
        &json_of(&dir.join("docker/index.json"))["manifests"][0]["digest"],
    ));
    assert!(manifest["layers"][0]["mediaType"].as_str().unwrap().contains("docker"), "{manifest}");
}

#[test]
fn umoci_unpacks_what_is_exported_to_what_the_kernel_shows() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    layers.export(&layout, "one");
    let bundle = layers.dir.path().join("bundle");
    let image = format!("{}:one", text(&layout));
    run("umoci", &["umoci", "unpack", "--image", &image, text(&bundle)]);
    assert_same_tree(&bundle.join("rootfs"), &layers.merged());
}

#[test]
fn layers_of_umoci_are_imported() {
    let layers = Layers::new();
    let layout = layers.dir.path().join("layout");
    let first = layers.export(&layout, "one");
    let bundle = layers.dir.path().join("bundle");
    let image = format!("{}:one", text(&layout));
    run("umoci", &["umoci", "unpack", "--image", &image, text(&bundle)]);
    let rootfs = bundle.join("rootfs");
    fs::write(rootfs.join("tmp/added"), "x").unwrap();
    fs::remove_file(rootfs.join("etc/greeting")).unwrap();
    fs::remove_dir_all(rootfs.join("opt/app")).unwrap();
    run("umoci", &["umoci", "repack", "--image", &image, text(&bundle)]);
    assert_ne!(resolve(&layout, Some("one")).unwrap(), first.manifest_digest);
    let (_into, image) = imported(&layout, "one");
    assert_eq!(image.layers.len(), 3);
    let third = &image.layers[2].dir;
    assert_eq!(fs::read_to_string(third.join("tmp/added")).unwrap(), "x");
    assert_eq!(fs::metadata(third.join("tmp")).unwrap().mode() & 0o7777, 0o1777);
    for gone in ["etc/greeting", "opt/app"] {
        let whiteout = fs::symlink_metadata(third.join(gone)).unwrap();
        assert_eq!((whiteout.mode() & 0o170_000, whiteout.rdev()), (0o020_000, 0), "{gone}");
    }
}

#[test]
fn podman_runs_what_is_exported() {
    let layers = Layers::new();
    let dir = layers.dir.path();
    let source = dir.join("hello.rs");
    fs::write(
        &source,
        "fn main() { print!(\"{}{}\", std::fs::read_to_string(\"/etc/greeting\").unwrap(), std::env::var(\"LANG\").unwrap()) }",
    )
    .unwrap();
    let program = layers.layer("site/opt/app/hello");
    run(
        "libc6-dev",
        &["rustc", "-C", "target-feature=+crt-static", text(&source), "-o", text(&program)],
    );
    let (base, site) = (layers.layer("base"), layers.layer("site"));
    let layer = |name, dir| ExportLayer {
        name,
        dir,
        digest: Digest::of(str::as_bytes(name)),
        expected: None,
    };
    let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
    let start = ["/opt/app/hello".to_owned()];
    let image = ExportImage {
        layers: vec![layer("base", &base), layer("site", &site)],
        env: &env,
        start: &start,
    };
    let archive = dir.join("image.tar");
    export(&image, &archive, "one", &dir.join("cache")).unwrap();

    let podman = |arguments: &[&str]| {
        let (storage, state) = (dir.join("storage"), dir.join("state"));
        let mut argv = vec!["podman", "--root", text(&storage), "--runroot", text(&state)];
        argv.extend([
            "--storage-driver",
            "vfs",
            "--cgroup-manager",
            "cgroupfs",
            "--runtime",
            "runc",
        ]);
        argv.extend(arguments);
        run("podman and runc", &argv)
    };
    let image = podman(&["pull", "-q", &format!("oci-archive:{}:one", text(&archive))]);
    // Its default limits are above what a container on a machine like CI's may ask for.
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    let mut arguments = vec!["run", "--rm", "--network=none"];
    arguments.extend(limits);
    arguments.push(image.trim());
    let printed = podman(&arguments);
    assert_eq!(printed, "hello\nC.UTF-8");
}
