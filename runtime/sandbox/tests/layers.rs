//! What is kept: equal for equal content, verified before it is used.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests prepare must succeed"
)]

mod support;

use kiln::{BaseNode, Origin};
use kiln_engine::ErrorKind;
use kiln_engine::driver::{Action, Artifact, ArtifactIndex, Builder};
use kiln_engine::lock::Locked;
use kiln_sandbox::Sandbox;
use std::path::{Path, PathBuf};
use support::{
    Bench, base, debian_input, fresh_key, input, isolated, label, locked_base, put_text, quiet,
    scratch, settings, shell, store,
};

#[test]
fn equal_content_is_an_equal_artifact() {
    isolated(|| async {
        let mut one = Bench::new().await;
        one.sh("mkdir -p /srv/d; echo a >/srv/d/a; ln -s a /srv/d/l; rm /etc/hostname").await;
        let mut two = Bench::new().await;
        two.sh("rm /etc/hostname; mkdir /srv/d; ln -s a /srv/d/l; printf 'a\\n' >/srv/d/a; touch -d 1999-01-01 /srv/d").await;
        let key = fresh_key("one");
        let first = one.session.checkpoint(key, &label()).await.unwrap();
        assert_eq!(first, two.session.checkpoint(fresh_key("two"), &label()).await.unwrap());
        assert_eq!(
            one.sh("stat -c %Y /srv/d/a /srv/d; ls /etc/hostname 2>&1 || :")
                .await
                .lines()
                .take(2)
                .collect::<Vec<_>>(),
            ["1577836800"; 2]
        );

        for different in [
            "chmod 600 /srv/d/a",
            "chown 1 /srv/d/a",
            "echo b >/srv/d/a",
            "ln -sf b /srv/d/l",
            "rm -r /srv/d",
        ] {
            let mut other = Bench::new().await;
            other.sh("mkdir -p /srv/d; echo a >/srv/d/a; ln -s a /srv/d/l; rm /etc/hostname").await;
            other.sh(different).await;
            assert_ne!(
                first,
                other.session.checkpoint(fresh_key("other"), &label()).await.unwrap(),
                "{different}"
            );
        }
    });
}

#[test]
fn what_a_layer_removes_stays_removed_above_it() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.run(Action::Remove { dest: "/etc/hostname".into() }).await.unwrap();
        bench.sh("rm -r /usr/share/doc; mkdir /usr/share/doc; echo new >/usr/share/doc/new").await;
        bench.session.checkpoint(fresh_key("removed"), &label()).await.unwrap();
        let artifact = bench.session.checkpoint(fresh_key("nothing more"), &label()).await.unwrap();
        let mut above = Bench::on(bench.sandbox.clone(), &artifact).await;
        assert_eq!(above.sh("test ! -e /etc/hostname; ls /usr/share/doc").await, "new");
    });
}

/// A layer of its own in a store of its own, and where its file lies.
async fn stored(store: &Path) -> (Sandbox, kiln_engine::CacheKey, Artifact, PathBuf) {
    let sandbox = Sandbox::open(store).unwrap();
    let empty = scratch(&sandbox).await;
    let mut bench = Bench::on(sandbox.clone(), &empty).await;
    bench.run(put_text("/srv/file", "content")).await.unwrap();
    let key = fresh_key("stored");
    let artifact = bench.session.checkpoint(key, &label()).await.unwrap();
    let layers = std::fs::read_dir(store.join("sandbox/layers")).unwrap();
    let file = layers.map(|dir| dir.unwrap().path().join("fs/srv/file")).find(|file| file.exists());
    (sandbox, key, artifact, file.unwrap())
}

#[test]
fn a_damaged_layer_is_dropped_and_not_found_again() {
    type Damage = fn(&Path);
    let damages: [Damage; 5] = [
        |file| std::fs::write(file, "CONTENT").unwrap(),
        |file| std::fs::remove_file(file).unwrap(),
        |file| std::fs::write(file.with_file_name("more"), "").unwrap(),
        |file| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
        },
        |file| std::fs::write(file.ancestors().nth(3).unwrap().join("manifest"), "torn").unwrap(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        isolated(|| async {
            let (sandbox, key, artifact, file) = stored(dir.path()).await;
            drop(sandbox);
            damage(&file);
            let sandbox = Sandbox::open(dir.path()).unwrap();
            let Err(error) = sandbox.open(&artifact, &settings(), &quiet).await else {
                panic!("damage {number}")
            };
            assert_eq!(error.kind(), ErrorKind::Damaged, "{number}: {}", error.chain());
            assert!(!file.exists());
            assert_eq!(sandbox.find(&[key]).await.unwrap(), [None]);
            // The rebuild takes its place.
            let (sandbox, key, ..) = stored(dir.path()).await;
            assert!(sandbox.find(&[key]).await.unwrap()[0].is_some());
        });
    }
}

#[test]
fn a_layer_that_was_only_copied_or_touched_is_still_good() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    isolated(|| async {
        let (sandbox, _, artifact, file) = stored(dir.path()).await;
        drop(sandbox);
        let content = std::fs::read(&file).unwrap();
        std::fs::write(&file, content).unwrap();
        let sandbox = Sandbox::open(dir.path()).unwrap();
        assert!(sandbox.open(&artifact, &settings(), &quiet).await.is_ok());
    });
}

#[test]
fn a_torn_index_is_a_miss() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    isolated(|| async {
        let (sandbox, key, artifact, _) = stored(dir.path()).await;
        let index = dir.path().join(format!("sandbox/index/{key}"));
        std::fs::write(&index, "").unwrap();
        assert_eq!(sandbox.find(&[key]).await.unwrap(), [None]);
        let chain = dir.path().join(format!("sandbox/chains/{}", artifact.id));
        std::fs::write(&chain, "").unwrap();
        assert!(sandbox.open(&artifact, &settings(), &quiet).await.is_err());
    });
}

#[test]
fn two_bases_of_the_same_packages_are_the_same() {
    isolated(|| async {
        let sandbox = Sandbox::open(&store()).unwrap();
        let first = base(&sandbox).await;
        let locked = locked_base(&sandbox).await;
        let again = sandbox
            .make_base(fresh_key("again"), &debian_input(), &Locked::Files(locked), &quiet)
            .await
            .unwrap();
        assert_eq!(first, again);
        let mut bench = Bench::on(sandbox, &first).await;
        let sources = bench
            .sh("cat /etc/apt/sources.list; cat /etc/hostname; dpkg --audit; apt-get check >&2")
            .await;
        assert!(sources.contains("bookworm-security main\n") && sources.contains("localhost"));
    });
}

#[test]
fn packages_are_installed_from_locked_files_without_network() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let script = "apt-get -q -o APT::Update::Error-Mode=any update >&2\n\
            apt-get -qq -o Acquire::ForceHash=SHA256 --print-uris -y install busybox >/tmp/uris\n\
            while read -r uri name size hash; do v=${name#*_}; v=${v%_*}; u=${uri#?}; \
            echo \"sha256:${hash#SHA256:} $size $v ${u%?}\"; done </tmp/uris";
        let printed = bench.session.resolve(script, Default::default(), &quiet).await.unwrap();
        let files: Vec<_> = printed.lines().map(|line| line.parse().unwrap()).collect();
        let mut install =
            shell("dpkg -i \"$KILN_FILES\"/*.deb; busybox true; ls $KILN_FILES | wc -l");
        install.files = Some(files);
        let lines = bench.run(install).await.unwrap();
        assert_eq!(lines.last().unwrap(), "1");
        assert_eq!(
            bench.sh("echo ${KILN_FILES-none}; ls /run/kiln").await,
            "none",
            "no other step sees them"
        );
    });
}

#[test]
fn a_locked_file_that_is_another_or_gone_is_refused() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let known =
            locked_base(&bench.sandbox).await.into_iter().min_by_key(|file| file.size).unwrap();
        let mut action = shell("true");
        let mut wrong = known.clone();
        wrong.sha256 = "0".repeat(64);
        action.files = Some(vec![wrong]);
        let error = bench.fails(action.clone()).await;
        assert!(error.to_string().contains("is not the file that was locked"), "{}", error.chain());
        let mut gone = known;
        gone.sha256 = "1".repeat(64);
        gone.url.push_str("-gone.deb");
        action.files = Some(vec![gone.clone()]);
        let error = bench.fails(action).await;
        assert!(error.to_string().contains(gone.name().as_str()));
        assert!(error.help_text().unwrap().contains("cargo xtask update"), "{}", error.chain());
    });
}

#[test]
fn a_base_that_cannot_be_had_is_named() {
    isolated(|| async {
        let sandbox = Sandbox::open(&store()).unwrap();
        let unreachable = kiln::debian("bookworm").mirror("http://127.0.0.1:9/debian");
        let unreachable = input(BaseNode::Debian(unreachable));
        let error = sandbox.resolve_base(&unreachable, &quiet).await.unwrap_err();
        assert!(error.to_string().contains("http://127.0.0.1:9/debian"), "{}", error.chain());
        assert!(!error.output_lines().is_empty());
        let unknown =
            input(BaseNode::Debian(kiln::debian("bookworm").include(["no-such-package-x"])));
        let error = sandbox.resolve_base(&unknown, &quiet).await.unwrap_err();
        assert_eq!(error.to_string(), "`bookworm` has no package `no-such-package-x`");
        let suite = input(BaseNode::Debian(kiln::debian("no-such-suite")));
        let error = sandbox.resolve_base(&suite, &quiet).await.unwrap_err();
        assert!(error.to_string().contains("`no-such-suite`"));
    });
}

#[test]
fn an_archive_with_another_digest_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("root.tar"), [0; 1024]).unwrap();
    isolated(|| async {
        let sandbox = Sandbox::open(&store()).unwrap();
        let archive = |digest: String| kiln::RootArchive {
            origin: Origin::caller(),
            path: "root.tar".into(),
            digest,
        };
        let mut base = input(BaseNode::RootArchive(archive(format!("sha256:{}", "0".repeat(64)))));
        base.root = dir.path().to_owned();
        let error = sandbox
            .make_base(fresh_key("archive"), &base, &Locked::nothing(), &quiet)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("has digest `sha256:5f70bf18"), "{}", error.chain());
        let right = format!("blake3:{}", kiln_engine::Digest::of(&[0; 1024]));
        base.node = BaseNode::RootArchive(archive(right));
        sandbox.make_base(fresh_key("archive"), &base, &Locked::nothing(), &quiet).await.unwrap();
    });
}
