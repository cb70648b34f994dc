//! Nothing leaks and nothing is trusted: kills, damage, two bakes at once, hostile archives.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use kiln::RootArchive;
use kiln::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use support::{Project, assert_nothing_left, wait_for};

/// A project whose store has its own runs: the base comes along by a copy of the shared store.
fn project() -> Project {
    let mut project = Project::new();
    let own = project.path("store");
    let copied = std::process::Command::new("cp").arg("-a").arg(&project.store).arg(&own).status();
    assert!(copied.unwrap().success());
    project.store = own;
    project
}

fn slow(project: &Project, command: &str) -> Image {
    project
        .debian("slow")
        .layer(Layer::new("first").step(step::run("echo first > /first")))
        .layer(Layer::new("second").step(step::run(command)))
}

fn at_second_layer(event: &serde_json::Value) -> bool {
    event["event"] == "output" && event["layer"] == "second"
}

#[test]
fn a_killed_bake_leaves_nothing_after_the_next_which_resumes() {
    let project = project();
    let command = "echo started; setsid sleep 1000 & sleep 1000";
    let mut child = project.start(slow(&project, command), &["bake", "--format", "json"]);
    wait_for(&mut child, at_second_layer);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    let next = project.bake(slow(&project, "echo done > /done")).done();
    assert_eq!(next.counts(), (1, 2, 0), "the first layer was kept");
    assert_nothing_left(&project.store);
}

#[test]
fn an_interrupted_bake_cleans_up_itself() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = project();
        let mut child = project
            .start(slow(&project, "echo started; sleep 1000"), &["bake", "--format", "json"]);
        let rest = wait_for(&mut child, at_second_layer);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let said = std::io::read_to_string(rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(said.contains("interrupted"), "{said}");
        assert_nothing_left(&project.store);
    }
}

#[test]
fn two_bakes_at_once_build_each_layer_once() {
    let project = project();
    let image = || {
        let layer = |n: u32| {
            Layer::new(format!("l{n}")).step(step::run(format!("sleep 0.2; echo {n} > /l{n}")))
        };
        (0..3).fold(project.debian("twice"), |image, n| image.layer(layer(n)))
    };
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| project.bake(image()).done().counts());
        let two = scope.spawn(|| project.bake(image()).done().counts());
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.0 + two.0, 3, "{one:?} {two:?}");
    assert_eq!(one.1 + two.1, 5, "{one:?} {two:?}");
}

#[test]
fn a_damaged_layer_is_dropped_and_built_again() {
    let project = project();
    let image = |last: &str| {
        project
            .debian("damage")
            .layer(Layer::new("low").step(step::run("echo precious > /precious")))
            .layer(
                Layer::new("high").step(step::run(format!("cat /precious; echo {last} > /last"))),
            )
    };
    project.bake(image("one")).done();
    let file = find(&project.store.join("sandbox/layers"), "precious").unwrap();
    std::fs::write(&file, "precioux\n").unwrap();
    let ran = project.bake(image("two")).done();
    assert!(ran.counts().0 >= 2, "{}", ran.stdout);
    let file = find(&project.store.join("sandbox/layers"), "precious").unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious\n");
}

#[test]
fn a_damaged_record_is_built_again() {
    let project = project();
    let image = || project.debian("record").layer(Layer::new("l").step(step::run("echo l > /l")));
    project.bake(image()).done();
    for entry in std::fs::read_dir(project.store.join("sandbox/index")).unwrap() {
        std::fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    assert_eq!(project.bake(image()).done().counts(), (2, 0, 0));
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() == name {
                return Some(path);
            }
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    None
}

/// An archive with one file under this name, which the `tar` crate would refuse to write.
fn hostile(project: &Project, name: &str) -> RootArchive {
    let mut header = tar::Header::new_gnu();
    let bytes = &mut header.as_mut_bytes()[..name.len()];
    bytes.copy_from_slice(name.as_bytes());
    header.set_size(4);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, &b"evil"[..]).unwrap();
    let bytes = archive.into_inner().unwrap();
    project.write("root.tar", &bytes);
    root_archive("root.tar", format!("blake3:{}", kiln_engine::Digest::of(&bytes)))
}

#[test]
fn archives_that_reach_outside_are_refused() {
    let project = Project::with_own_store();
    for name in ["../evil", "/var/tmp/kiln-evil", "a/../../evil"] {
        let base = hostile(&project, name);
        let root = project.folder.path().to_str().unwrap();
        let ran = project.bake(Image::new("hostile", root).base(base));
        let failure = ran.failed_with(name);
        assert!(!failure["message"].as_str().unwrap().contains("malformed"), "{failure:#}");
        assert_eq!(ran.counts().0, 0, "{failure:#}");
        assert!(find(&project.store, "evil").is_none());
        assert!(!Path::new("/var/tmp/kiln-evil").exists());
    }
}

#[test]
fn an_archive_with_another_digest_is_refused() {
    let project = Project::with_own_store();
    let mut base = hostile(&project, "good");
    let root = project.folder.path().to_str().unwrap().to_owned();
    let image = |base| Image::new("archive", root.clone()).base(base);
    project.bake(image(base.clone())).done();
    base.digest = format!("sha256:{}", "0".repeat(64));
    project.bake(image(base)).failed_with("digest");
}

#[test]
fn what_root_alone_may_read_stays_so_in_the_store() {
    let project = Project::with_own_store();
    project
        .bake(project.empty("private").layer(Layer::new("l").step(step::file("/k").content("x"))))
        .done();
    let mode = std::fs::metadata(project.store.join("sandbox")).unwrap().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

/// A runtime that joins a container's namespaces from under a chroot lands in the machine's own root.
#[test]
fn in_a_chroot_steps_run_in_the_image_and_not_on_the_machine() {
    let project = project();
    let mark = format!("/kiln-test-mark-{}", std::process::id());
    let layer = Layer::new("mark").step(step::run(format!("echo here > {mark}; cat {mark}")));
    let document =
        serde_json::to_vec(&Document::new("shop").image(project.debian("rooted").layer(layer)));
    project.write("document.json", document.unwrap());
    let root = project.path("chroot");
    std::fs::create_dir(&root).unwrap();
    let script = "mount --rbind / \"$1\" && exec chroot \"$1\" /bin/sh -c \
                  'cd \"$1\" && exec \"$2\" bake --store store <document.json' sh \"$2\" \"$3\"";
    let out = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
        .arg(&root)
        .arg(project.folder.path())
        .arg(env!("CARGO_BIN_EXE_kiln-host"))
        .output()
        .unwrap();
    let escaped = Path::new(&mark).exists();
    let _ = std::fs::remove_file(&mark);
    assert!(!escaped, "a step ran in the machine's own root");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(find(&project.store.join("sandbox/layers"), &mark[1..]).is_some());
    assert_nothing_left(&project.store);
}
