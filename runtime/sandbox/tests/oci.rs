//! OCI image layouts: what other tools make of ours, what we make of theirs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests prepare must succeed")]

use kiln_engine::Digest;
use kiln_sandbox::oci::{ExportImage, ExportLayer, Exported, Imported, export, import, resolve};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program that must be there and must succeed.
#[track_caller]
fn run(package: &str, argv: &[&str]) -> String {
    let output = Command::new(argv[0])
        .args(&argv[1..])
        .output()
        .unwrap_or_else(|error| panic!("cannot run `{}` ({error}): install `{package}`", argv[0]));
    assert!(
        output.status.success(),
        "{argv:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every entry below a directory with all that an image keeps of it. Files with several names have the
/// first of them as their content.
fn tree(root: &Path, with_times: bool) -> BTreeMap<Vec<u8>, String> {
    fn walk(
        root: &Path,
        path: &Path,
        inodes: &mut BTreeMap<u64, PathBuf>,
        with_times: bool,
        into: &mut BTreeMap<Vec<u8>, String>,
    ) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let relative = path.strip_prefix(root).unwrap();
        let kind = metadata.file_type();
        let mut line = format!("{:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
        if with_times {
            line += &format!(" {}", metadata.mtime());
        }
        if kind.is_symlink() {
            line += &format!(" -> {:?}", fs::read_link(path).unwrap());
        } else if !kind.is_dir() {
            line += &format!(" device {}", metadata.rdev());
        }
        let is_whiteout = metadata.mode() & 0o170_000 == 0o020_000 && metadata.rdev() == 0;
        let first = inodes.entry(metadata.ino()).or_insert_with(|| relative.to_owned()).clone();
        if !kind.is_dir() && first != relative && !is_whiteout {
            line += &format!(" = {first:?}");
        } else if kind.is_file() {
            line += &format!(" {}", Digest::of(&fs::read(path).unwrap()));
        }
        let mut names = vec![0; 4096];
        let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
        let mut xattrs: Vec<&[u8]> =
            names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        xattrs.sort_unstable();
        for name in xattrs {
            let mut value = vec![0; 4096];
            let length =
                rustix::fs::lgetxattr(path, std::ffi::OsStr::from_bytes(name), &mut value[..])
                    .unwrap();
            line += &format!(" {}={:?}", String::from_utf8_lossy(name), &value[..length]);
        }
        into.insert(relative.as_os_str().as_bytes().to_vec(), line);
        if kind.is_dir() {
            let mut children: Vec<PathBuf> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            children.sort();
            for child in children {
                walk(root, &child, inodes, with_times, into);
            }
        }
    }
    let mut into = BTreeMap::new();
    walk(root, root, &mut BTreeMap::new(), with_times, &mut into);
    into
}

#[track_caller]
fn assert_same_tree(found: &Path, expected: &Path) {
    let (found, expected) = (tree(found, false), tree(expected, false));
    for (path, line) in &expected {
        let path_shown = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), Some(line), "`{path_shown}`");
    }
    let more: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(
        more.is_empty(),
        "{:?}",
        more.iter().map(|path| String::from_utf8_lossy(path)).collect::<Vec<_>>()
    );
}

/// Three layers with everything that a layer can hold; the middle one is empty.
struct Layers {
    dir: tempfile::TempDir,
}

const LONG: &str = "usr/share/a-name-that-goes-on/and-on/and-on";

impl Layers {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layers = Self { dir };
        for name in ["base", "empty", "site"] {
            let layer = layers.layer(name);
            fs::create_dir(&layer).unwrap();
            fs::set_permissions(&layer, fs::Permissions::from_mode(0o755)).unwrap();
        }
        layers.fill_base();
        layers.fill_site();
        layers
    }

    fn layer(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn fill_base(&self) {
        let base = self.layer("base");
        let write = |path: &str, content: &str, mode: u32| {
            let path = base.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
        write("etc/gone", "is removed by the layer above", 0o600);
        write("etc/replaced", "old", 0o644);
        write("opt/app/old", "is hidden by the layer above", 0o644);
        write("usr/bin/sudo", "#!/bin/sh\n", 0o4755);
        write("usr/bin/ping", "ping", 0o755);
        write("usr/lib/systemd/systemd", "systemd", 0o755);
        write("usr/lib/empty", "", 0o644);
        write("usr/lib/déjà vu\n", "strange name", 0o644);
        write(&format!("{LONG}/{}", "d".repeat(90)), "fits into a prefix", 0o644);
        write(&format!("{LONG}/{}", "e".repeat(200)), "does not", 0o644);
        write("usr/lib/large", &"0123456789abcdef".repeat(200_000), 0o644);
        for (link, target) in [("sbin", "usr/sbin"), ("bin", "usr/bin")] {
            symlink(target, base.join(link)).unwrap();
        }
        fs::create_dir_all(base.join("usr/sbin")).unwrap();
        symlink("/lib/systemd/systemd", base.join("usr/sbin/init")).unwrap();
        symlink("usr/lib", base.join("lib")).unwrap();
        symlink("x".repeat(180), base.join("usr/lib/long-link")).unwrap();
        fs::hard_link(base.join("usr/bin/ping"), base.join("usr/bin/ping4")).unwrap();
        fs::hard_link(base.join("usr/bin/ping"), base.join("etc/a-ping")).unwrap();
        for (path, mode) in
            [("tmp", 0o1777), ("root", 0o700), ("dev", 0o755), ("var/spool/mail", 0o2775)]
        {
            fs::create_dir_all(base.join(path)).unwrap();
            fs::set_permissions(base.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        chown(base.join("var/spool/mail"), Some(0), Some(8)).unwrap();
        chown(base.join("etc/replaced"), Some(1000), Some(1000)).unwrap();
        chown(base.join("usr/lib/empty"), Some(3_000_000_000), Some(65534)).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, base.join("dev/null"), FileType::CharacterDevice, mode, null)
            .unwrap();
        rustix::fs::mknodat(CWD, base.join("dev/pipe"), FileType::Fifo, mode, 0).unwrap();
        // VFS_CAP_REVISION_2 with CAP_NET_RAW, effective (linux/capability.h).
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let set = |path: &str, name: &str, value: &[u8]| {
            rustix::fs::lsetxattr(base.join(path), name, value, XattrFlags::empty()).unwrap();
        };
        set("usr/bin/ping", "security.capability", &capability);
        set("etc/passwd", "user.note", b"a\nb=c\0d");
        set("var/spool/mail", "user.of-a-directory", b"x");
    }

    fn fill_site(&self) {
        let site = self.layer("site");
        fs::create_dir_all(site.join("etc")).unwrap();
        fs::create_dir_all(site.join("opt/app")).unwrap();
        fs::create_dir_all(site.join("tmp")).unwrap();
        fs::set_permissions(site.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        rustix::fs::mknodat(
            CWD,
            site.join("etc/gone"),
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )
        .unwrap();
        fs::write(site.join("etc/replaced"), "new").unwrap();
        fs::write(site.join("etc/greeting"), "hello\n").unwrap();
        fs::write(site.join("opt/app/new"), "x").unwrap();
        let opaque = "trusted.overlay.opaque";
        rustix::fs::lsetxattr(site.join("opt/app"), opaque, b"y", XattrFlags::empty()).unwrap();
    }

    fn export_from(
        &self,
        names: &[&str],
        to: &Path,
        tag: &str,
        cache: &Path,
    ) -> Result<Exported, kiln_engine::Error> {
        let dirs: Vec<PathBuf> = names.iter().map(|name| self.layer(name)).collect();
        let layers = names.iter().zip(&dirs).map(|(name, dir)| ExportLayer {
            name,
            dir,
            digest: Digest::of(name.as_bytes()),
            expected: None,
        });
        let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        let image = ExportImage { layers: layers.collect(), env: &env, start: &[] };
        export(&image, to, tag, cache)
    }

    fn export(&self, to: &Path, tag: &str) -> Exported {
        let cache = self.dir.path().join("cache");
        self.export_from(&["base", "empty", "site"], to, tag, &cache).unwrap()
    }

    /// What the kernel shows of the layers on top of each other.
    fn merged(&self) -> PathBuf {
        let merged = self.dir.path().join("merged");
        let mount = self.dir.path().join("mount");
        for dir in [&merged, &mount] {
            fs::create_dir(dir).unwrap();
        }
        let lower = format!("{}:{}", text(&self.layer("site")), text(&self.layer("base")));
        let script =
            "mount -t overlay overlay -o ro,lowerdir=\"$1\" \"$2\" && cp -a \"$2/.\" \"$3\"";
        run(
            "util-linux",
            &["unshare", "--mount", "sh", "-c", script, "sh", &lower, text(&mount), text(&merged)],
        );
        merged
    }
}

fn imported(layout: &Path, tag: &str) -> (tempfile::TempDir, Imported) {
    let into = tempfile::tempdir().unwrap();
    let digest = resolve(layout, Some(tag)).unwrap();
    let image = import(layout, &digest, into.path()).unwrap();
    (into, image)
}

fn blob(layout: &Path, digest: &Value) -> PathBuf {
    layout.join("blobs/sha256").join(digest.as_str().unwrap().strip_prefix("sha256:").unwrap())
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

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

fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a blob into a layout; its digest.
fn put_blob(layout: &Path, bytes: &[u8]) -> String {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let sha256 = sha256(bytes);
    fs::write(blobs.join(&sha256), bytes).unwrap();
    format!("sha256:{sha256}")
}

fn put_index(layout: &Path, images: &[(&str, &str, usize, Option<&str>)]) {
    let manifests: Vec<Value> = images
        .iter()
        .map(|(media_type, digest, size, tag)| {
            let annotations = tag.map(|tag| json!({ "org.opencontainers.image.ref.name": tag }));
            let mut image = json!({ "mediaType": media_type, "digest": digest, "size": size });
            if let Some(annotations) = annotations {
                image["annotations"] = annotations;
            }
            image
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layout with one image of one layer, whose archive and claimed digest are given.
fn small_layout(layer: &[u8], diff_id: Option<&str>, tag: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path();
    let right = format!("sha256:{}", sha256(layer));
    let config = json!({
        "architecture": oci_spec::image::Arch::default().to_string(),
        "os": "linux",
        "config": { "User": "nobody", "Entrypoint": ["/bin/x"], "Cmd": null },
        "rootfs": { "type": "layers", "diff_ids": [diff_id.unwrap_or(&right)] },
    });
    let config = config.to_string().into_bytes();
    let digest = put_blob(layout, layer);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": put_blob(layout, &config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest,
            "size": layer.len(),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let manifest_digest = put_blob(layout, &manifest);
    put_index(layout, &[(MANIFEST, &manifest_digest, manifest.len(), Some(tag))]);
    (dir, digest)
}

fn small_tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(7);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    builder.append_data(&mut header, "file", &b"content"[..]).unwrap();
    builder.into_inner().unwrap()
}

fn import_error(layout: &Path) -> String {
    let into = tempfile::tempdir().unwrap();
    let digest = resolve(layout, None).unwrap();
    let error = import(layout, &digest, into.path()).unwrap_err().chain();
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "something of it was kept: {error}");
    error
}

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
