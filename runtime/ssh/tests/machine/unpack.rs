//! Archives on their way to a machine.

use crate::sshd::{GUEST, GUEST_UID, Sshd};
use crate::trees::{archive, failing, is_large, large, unpack};
use crate::watch::Seen;
use kiln_ssh::{Directories, ErrorKind, Exec, Op, Owner, Unpack};
use std::error::Error as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};

fn mode(path: &str) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn files_arrive_with_modes_links_and_content() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let at = sshd.path("new/tree");
    let tree = archive(&[
        ("bin/", 0o750, ""),
        ("bin/tool", 0o4755, "#!/bin/sh\n"),
        ("a name with blanks", 0o600, "x"),
        ("link", 0, "->bin/tool"),
        ("dangling", 0, "->/nowhere"),
    ]);
    machine.run(&[unpack(&at, tree)], &()).await.unwrap();
    assert_eq!(mode(&format!("{at}/bin")), 0o750);
    assert_eq!(mode(&format!("{at}/bin/tool")), 0o4755);
    assert_eq!(mode(&format!("{at}/a name with blanks")), 0o600);
    assert_eq!(fs::read_link(format!("{at}/link")).unwrap().to_str(), Some("bin/tool"));
    assert_eq!(fs::read_link(format!("{at}/dangling")).unwrap().to_str(), Some("/nowhere"));
    assert_eq!(fs::read_to_string(format!("{at}/bin/tool")).unwrap(), "#!/bin/sh\n");
    assert_eq!(mode(&sshd.path("new")), 0o755, "a parent that was missing");
}

#[tokio::test]
async fn a_tree_is_laid_over_what_is_there() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let at = sshd.path("site");
    let [kept, replaced, outside] =
        ["kept", "replaced", "outside"].map(|name| format!("{at}/{name}"));
    fs::create_dir_all(format!("{at}/dir")).unwrap();
    fs::create_dir(sshd.path("real")).unwrap();
    fs::set_permissions(format!("{at}/dir"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    fs::write(&kept, "kept").unwrap();
    fs::write(sshd.path("victim"), "untouched").unwrap();
    symlink(sshd.path("victim"), &replaced).unwrap();
    fs::hard_link(sshd.path("victim"), &outside).unwrap();
    symlink(sshd.path("real"), format!("{at}/linked")).unwrap();
    let tree = || {
        archive(&[
            ("dir/", 0o755, ""),
            ("dir/new", 0o644, "new"),
            ("replaced", 0o644, "mine"),
            ("outside", 0o644, "mine"),
            ("linked/", 0o755, ""),
            ("linked/new", 0o644, "new"),
        ])
    };
    machine.run(&[unpack(&at, tree())], &()).await.unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
    assert_eq!(fs::read_to_string(&replaced).unwrap(), "mine");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert_eq!(
        fs::read_to_string(sshd.path("victim")).unwrap(),
        "untouched",
        "neither through a link"
    );
    assert_eq!(mode(&format!("{at}/dir")), 0o700, "a directory that was there keeps its mode");
    assert_eq!(
        fs::read_to_string(sshd.path("real/new")).unwrap(),
        "new",
        "a link to a directory is one"
    );
    let Op::Unpack(unpack) = unpack(&at, tree()) else { unreachable!() };
    let replace = Op::Unpack(Unpack { directories: Directories::Replace, ..unpack });
    machine.run(&[replace], &()).await.unwrap();
    assert_eq!(mode(&format!("{at}/dir")), 0o755, "unless the archive's are wanted");
}

#[tokio::test]
async fn a_file_does_not_replace_a_directory_with_content() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    fs::create_dir_all(sshd.path("at/name/below")).unwrap();
    let op = unpack(&sshd.path("at"), archive(&[("name", 0o644, "x")]));
    let failed = machine.run(&[op], &()).await.unwrap_err();
    assert!(matches!(failed.error.kind(), ErrorKind::Failed { status: 2 }), "{failed}");
    assert!(failed.error.output_lines().iter().any(|line| line.contains("name")), "{failed:?}");
    assert!(fs::exists(sshd.path("at/name/below")).unwrap());
}

#[tokio::test]
async fn owners_are_resolved_by_the_machine_even_when_the_same_batch_makes_them() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let owned = |user: &str, group: Option<&str>, name: &str| {
        Op::Unpack(Unpack {
            into: sshd.path(""),
            owner: Owner { user: user.into(), group: group.map(Into::into) },
            directories: Directories::Keep,
            archive: archive(&[(name, 0o644, "x")]),
        })
    };
    // `/etc/passwd` is a mount of the namespace's: written in place.
    let add = "echo 'kiln-late:x:64900:64803::/:/bin/sh' >> /etc/passwd";
    let change = "sed 's/^kiln-late:x:64900/kiln-late:x:64901/' /etc/passwd > /tmp/kiln-p && \
                  cat /tmp/kiln-p > /etc/passwd && rm /tmp/kiln-p";
    let ops = [
        owned(GUEST, None, "guest"),
        owned(GUEST, Some("kiln-more"), "more"),
        owned("1234", None, "number"),
        owned("1234", Some("5"), "numbers"),
        Op::Exec(Exec::shell(add)),
        owned("kiln-late", None, "late"),
        Op::Exec(Exec::shell(change)),
        owned("kiln-late", None, "changed"),
    ];
    machine.run(&ops, &()).await.unwrap();
    let ids = |name: &str| {
        let stat = fs::metadata(sshd.path(name)).unwrap();
        (stat.uid(), stat.gid())
    };
    assert_eq!(ids("guest"), (GUEST_UID, 64803));
    assert_eq!(ids("more"), (GUEST_UID, 64804));
    assert_eq!(ids("number"), (1234, 1234));
    assert_eq!(ids("numbers"), (1234, 5));
    assert_eq!(ids("late"), (64900, 64803));
    assert_eq!(
        ids("changed"),
        (64901, 64803),
        "what was known of an account is not believed for ever"
    );

    let before = Op::Exec(Exec::shell(format!("touch {}", sshd.path("before"))));
    let failed = machine.run(&[before, owned("nobody-here", None, "x")], &()).await.unwrap_err();
    assert_eq!((failed.index, failed.error.kind()), (1, ErrorKind::Input));
    assert!(failed.error.to_string().contains("`nobody-here`"), "{failed}");
    assert!(fs::exists(sshd.path("before")).unwrap());
}

#[tokio::test]
async fn large_archives_of_any_kind_arrive_whole_and_the_batch_goes_on() {
    let sshd = Sshd::start();
    let mut machine = sshd.remote().await;
    let size = 20 << 20;
    let at = sshd.path("");
    let ops = [
        unpack(&at, large("random", size, true)),
        Op::Exec(Exec::shell(format!("stat -c %s {at}/random"))),
        unpack(&at, large("zeros", size, false)),
        unpack(&at, archive(&[("small", 0o644, "x")])),
        Op::Exec(Exec::shell(format!("stat -c %s {at}/zeros {at}/small"))),
    ];
    let seen = Seen::default();
    machine.run(&ops, &seen).await.unwrap();
    assert!(is_large(File::open(sshd.path("random")).unwrap(), size, true));
    assert!(is_large(File::open(sshd.path("zeros")).unwrap(), size, false));
    let size = size.to_string();
    let expected = ["start 0", "start 1", &format!("1: {size}"), "start 2", "start 3", "start 4"];
    assert_eq!(seen.events()[..6], expected);
    assert_eq!(seen.events()[6..], [format!("4: {size}"), "4: 1".into()]);
    machine.run(&ops[3..4], &()).await.unwrap();
}

#[tokio::test]
async fn without_zstd_on_the_machine_gzip_does() {
    // Bound to nothing that can be executed: not found.
    let sshd = Sshd::set_up(
        "",
        "touch $dir/none; chmod 644 $dir/none; mount --bind $dir/none /usr/bin/zstd",
    );
    let mut machine = sshd.remote().await;
    let size = 3 << 20;
    let at = sshd.path("");
    let text = "compressible ".repeat(1000);
    let ops = [
        unpack(&at, large("zeros", size, false)),
        unpack(&at, archive(&[("small", 0o644, &text)])),
    ];
    machine.run(&ops, &()).await.unwrap();
    assert!(is_large(File::open(sshd.path("zeros")).unwrap(), size, false));
    assert_eq!(fs::read_to_string(sshd.path("small")).unwrap(), text);
}

#[tokio::test]
async fn an_archive_that_cannot_be_written_fails_its_op_with_the_reason() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    for after in [100, 5 << 20] {
        let before = Op::Exec(Exec::shell(format!("touch {}", sshd.path("before"))));
        let after_it = Op::Exec(Exec::shell(format!("touch {}", sshd.path("after"))));
        let ops = [before, unpack(&sshd.path(""), failing(after)), after_it];
        let failed = machine.run(&ops, &()).await.unwrap_err();
        assert_eq!((failed.index, failed.error.kind()), (1, ErrorKind::Input), "{failed}");
        assert!(failed.error.source().unwrap().to_string().contains("changed while"), "{failed:?}");
        assert!(fs::exists(sshd.path("before")).unwrap());
        assert!(!fs::exists(sshd.path("after")).unwrap());
        fs::remove_file(sshd.path("before")).unwrap();
    }
    machine.run(&[Op::Exec(Exec::shell("true"))], &()).await.unwrap();
}

#[tokio::test]
async fn removing_takes_what_is_there_and_minds_nothing_that_is_not() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    fs::create_dir_all(sshd.path("-rf x/below")).unwrap();
    symlink(sshd.path("authorized_keys"), sshd.path("link")).unwrap();
    let remove = |name: &str| Op::Remove { path: sshd.path(name) };
    machine.run(&[remove("-rf x"), remove("link"), remove("missing")], &()).await.unwrap();
    assert!(!fs::exists(sshd.path("-rf x")).unwrap());
    assert!(fs::symlink_metadata(sshd.path("link")).is_err());
    assert!(fs::exists(sshd.path("authorized_keys")).unwrap(), "a link is not followed");
}
