//! Files and trees that are put into an image.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests prepare must succeed"
)]

mod support;

use kiln_engine::Digest;
use kiln_engine::driver::{Action, Content};
use kiln_engine::inputs::{Entry, EntryKind, Manifest};
use std::path::Path;
use std::sync::Arc;
use support::{Bench, file_of, fresh_key, isolated, label, put, put_text, with};

fn file(path: &str, content: &str, executable: bool) -> Entry {
    let (digest, size) = (Digest::of(content.as_bytes()), content.len() as u64);
    Entry { path: path.into(), kind: EntryKind::File { digest, size, executable } }
}

fn directory(path: &str) -> Entry {
    Entry { path: path.into(), kind: EntryKind::Directory }
}

/// `a/b` (executable), `a/link -> b`, `top`.
fn tree(root: &Path) -> Content {
    std::fs::create_dir(root.join("a")).unwrap();
    std::fs::write(root.join("a/b"), "b").unwrap();
    std::os::unix::fs::symlink("b", root.join("a/link")).unwrap();
    std::fs::write(root.join("top"), "top").unwrap();
    let link = Entry { path: "a/link".into(), kind: EntryKind::Link { target: "b".into() } };
    let entries = vec![directory("a"), file("a/b", "b", true), link, file("top", "top", false)];
    Content::Tree { root: root.to_owned(), manifest: Arc::new(Manifest { entries }) }
}

#[test]
fn a_path_through_links_stays_inside_the_image() {
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let there = outside.path().to_str().unwrap().to_owned();
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.sh(&format!(
            "mkdir -p {there}; ln -s {there} /srv/absolute; ln -s ../../../../../../../{there} /srv/relative"
        ))
        .await;
        for link in ["absolute", "relative"] {
            bench.run(put_text(&format!("/srv/{link}/{link}"), link)).await.unwrap();
        }
        assert_eq!(bench.sh(&format!("ls {there}")).await, "absolute\nrelative");
        bench.run(Action::Remove { dest: "/srv/absolute/relative".into() }).await.unwrap();
        assert_eq!(bench.sh(&format!("ls {there}")).await, "absolute");
    });
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_file_replaces_a_file_or_a_link_and_never_a_directory() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.sh("ln -s /etc/passwd /srv/link; echo old >/srv/file; mkdir /srv/dir").await;
        for name in ["link", "file", "new"] {
            bench.run(put_text(&format!("/srv/{name}"), "new")).await.unwrap();
        }
        assert_eq!(bench.sh("stat -c %F /srv/link; cat /srv/*e* /srv/link; head -c 4 /etc/passwd; ls -A /srv").await,
            "regular file\nnewnewnewrootdir\nfile\nlink\nnew");
        let error = bench.fails(put_text("/srv/dir", "x")).await;
        assert_eq!(error.to_string(), "`/srv/dir` is a directory in the image");
        bench.run(put("/srv/file", Content::Link("dir".into()))).await.unwrap();
        assert_eq!(bench.sh("readlink /srv/file").await, "dir");
        let error = bench.fails(put_text("/etc/passwd/x", "x")).await;
        assert!(error.to_string().contains("is a file"), "{}", error.chain());
        let error = bench.fails(put_text("/tmp/x", "x")).await;
        assert!(error.to_string().contains("would not be part of the image"));
    });
}

#[test]
fn a_tree_is_laid_over_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let content = tree(dir.path());
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.sh("mkdir -p -m 700 /srv/www/a; echo kept >/srv/www/a/kept").await;
        bench.run(put("/srv/www", content.clone())).await.unwrap();
        let listed = "cd /srv/www; find . -mindepth 1 -printf '%p %m %u %l\\n' | sort";
        assert_eq!(
            bench.sh(listed).await,
            "./a 700 root \n./a/b 755 root \n./a/kept 644 root \n./a/link 777 root b\n./top 644 root "
        );
        let mut owned = with(put("/srv/other", content.clone()), 0o640, "www-data");
        owned.directory_mode = Some(kiln::Mode(0o2750));
        bench.run(owned).await.unwrap();
        assert_eq!(
            bench.sh("cd /srv/other; find . -printf '%p %m %u:%g\\n' | sort").await,
            ". 2750 www-data:www-data\n./a 2750 www-data:www-data\n./a/b 640 www-data:www-data\n\
             ./a/link 777 www-data:www-data\n./top 640 www-data:www-data"
        );
        // A directory that is a link in the image is one.
        let lib = Manifest { entries: vec![directory("lib"), file("lib/kiln-x", "x", false)] };
        let from = tempfile::tempdir().unwrap();
        std::fs::create_dir(from.path().join("lib")).unwrap();
        std::fs::write(from.path().join("lib/kiln-x"), "x").unwrap();
        let lib = Content::Tree { root: from.path().to_owned(), manifest: Arc::new(lib) };
        bench.run(put("/srv/usr", Content::Directory)).await.unwrap();
        bench.sh("mkdir /srv/root; ln -s /usr/lib /srv/root/lib").await;
        bench.run(put("/srv/root", lib)).await.unwrap();
        assert_eq!(bench.sh("cat /usr/lib/kiln-x; readlink /srv/root/lib").await, "x/usr/lib");
    });
}

#[test]
fn an_input_that_changed_or_vanished_after_planning_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "planned").unwrap();
    let content = file_of(&path);
    let trees = tempfile::tempdir().unwrap();
    let planned = tree(trees.path());
    isolated(|| async {
        let mut bench = Bench::new().await;
        std::fs::write(&path, "changed").unwrap();
        let shown = path.display();
        let error = bench.fails(put("/srv/file", content.clone())).await;
        assert_eq!(error.to_string(), format!("`{shown}` changed while the image was being baked"));
        std::fs::remove_file(&path).unwrap();
        let error = bench.fails(put("/srv/file", content)).await;
        assert_eq!(
            error.to_string(),
            format!("`{shown}` vanished while the image was being baked")
        );

        std::fs::write(trees.path().join("a/b"), "c").unwrap();
        let error = bench.fails(put("/srv/tree", planned.clone())).await;
        assert!(error.to_string().ends_with("a/b` changed while the image was being baked"));
        std::fs::remove_file(trees.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", trees.path().join("a/b")).unwrap();
        let error = bench.fails(put("/srv/tree", planned)).await;
        assert!(error.to_string().ends_with("a/b` changed while the image was being baked"));
        assert_eq!(bench.sh("ls /srv").await, "tree");
    });
}

#[test]
fn a_session_that_is_kept_can_be_entered() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.sh("echo before >/srv/file").await;
        bench.session.checkpoint(fresh_key("kept"), &label()).await.unwrap();
        bench.sh("echo after >/srv/later").await;
        let enter = bench.session.keep().await.unwrap();
        let output = std::process::Command::new(&enter)
            .args(["/bin/sh", "-c", "cat /srv/file /srv/later"])
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, "before\nafter\n", "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_dir_all(Path::new(&enter).parent().unwrap()).unwrap();
    });
}

/// Figures for a person: `cargo test --release … -- --ignored --nocapture figures`.
#[test]
#[ignore = "measures"]
fn figures() {
    use std::time::Instant;
    let many = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut entries = Vec::new();
    for d in 0..100 {
        std::fs::create_dir(many.path().join(format!("{d:03}"))).unwrap();
        entries.push(directory(&format!("{d:03}")));
        for f in 0..100 {
            let (path, content) = (format!("{d:03}/{f:03}"), format!("content {d} {f}"));
            std::fs::write(many.path().join(&path), &content).unwrap();
            entries.push(file(&path, &content, false));
        }
    }
    let many =
        Content::Tree { root: many.path().to_owned(), manifest: Arc::new(Manifest { entries }) };
    let large = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
    let mut random = std::fs::File::open("/dev/urandom").unwrap();
    std::io::copy(&mut std::io::Read::take(&mut random, 50_000_000), &mut &large).unwrap();
    let large = file_of(large.path());
    isolated(|| async {
        let t = |name: &str, from: Instant| eprintln!("{name:30} {:?}", from.elapsed());
        let now = Instant::now();
        let mut bench = Bench::new().await;
        t("open store and base", now);
        let now = Instant::now();
        bench.sh("true").await;
        t("first command of a layer", now);
        let now = Instant::now();
        bench.sh("true").await;
        t("second command", now);
        let now = Instant::now();
        bench.session.checkpoint(fresh_key("small"), &label()).await.unwrap();
        t("checkpoint of nothing", now);
        let now = Instant::now();
        bench.run(put("/srv/many", many.clone())).await.unwrap();
        t("put 10k files", now);
        let now = Instant::now();
        let artifact = bench.session.checkpoint(fresh_key("many"), &label()).await.unwrap();
        t("checkpoint of 10k files", now);
        let now = Instant::now();
        bench.run(put("/srv/large", large.clone())).await.unwrap();
        t("put 50 MB", now);
        let now = Instant::now();
        bench.session.checkpoint(fresh_key("large"), &label()).await.unwrap();
        t("checkpoint of 50 MB", now);
        let again = kiln_sandbox::Sandbox::open(&support::store()).unwrap();
        let now = Instant::now();
        let _session = Bench::on(again, &artifact).await;
        t("verify 10k files and the base", now);
        let now = Instant::now();
        drop(bench);
        t("drop", now);
    });
}
