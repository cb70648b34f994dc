//! What cannot be an input, and what the user is told.

use super::Checkout;
use crate::inputs::EntryKind;
use expect_test::expect;
use rustix::fs::CWD;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

#[test]
fn link_is_followed_only_below_the_root() {
    let checkout = Checkout::new();
    symlink("site", checkout.path("public")).unwrap();
    assert_eq!(checkout.digest("public"), checkout.digest("site"));
    symlink("/etc/passwd", checkout.path("out")).unwrap();
    symlink("/etc", checkout.path("out_too")).unwrap();
    symlink("nowhere", checkout.path("dangling")).unwrap();
    symlink("circle", checkout.path("circle")).unwrap();
    expect![[r#"
        `out` is a link out of `ROOT`
        help: put what it points to below that directory"#]]
    .assert_eq(&checkout.error("out"));
    expect![[r#"
        `out_too/passwd` is a link out of `ROOT`
        help: put what it points to below that directory"#]]
    .assert_eq(&checkout.error("out_too/passwd"));
    expect![[r#"
        `dangling` is a link to nothing
        help: create what it points to, or remove it from the recipe"#]]
    .assert_eq(&checkout.error("dangling"));
    expect![[r#"
        `circle` is a link that leads in a circle
        help: correct the link"#]]
    .assert_eq(&checkout.error("circle"));
}

#[test]
fn link_in_a_tree_is_an_entry_wherever_it_points() {
    let checkout = Checkout::new();
    symlink("/etc", checkout.path("site/out")).unwrap();
    symlink("nowhere", checkout.path("site/dangling")).unwrap();
    let manifest = checkout.manifest("site");
    let out = manifest.entries.iter().find(|entry| entry.path == "out").unwrap();
    assert_eq!(out.kind, EntryKind::Link { target: "/etc".to_owned() });
    assert!(!manifest.entries.iter().any(|entry| entry.path.starts_with("out/")));
}

#[test]
fn what_cannot_be_an_input_is_an_error_that_names_it() {
    let checkout = Checkout::new();
    expect![[r#"
        `nope` was not found in `ROOT`
        help: create it, or correct the path in the recipe"#]]
    .assert_eq(&checkout.error("nope"));
    expect![[r#"
        `site/index.html/` is not a directory
        help: name a file without `/` at the end"#]]
    .assert_eq(&checkout.error("site/index.html/"));
    expect![[r#"
        `../root/site` is not below `ROOT`
        help: name a path that is relative to the recipe's package, without `..`"#]]
    .assert_eq(&checkout.error("../root/site"));
    expect![[r#"
        `/etc/passwd` is not below `ROOT`
        help: name a path that is relative to the recipe's package, without `..`"#]]
    .assert_eq(&checkout.error("/etc/passwd"));
    let socket = checkout.path("site/css/socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    expect![[r#"
        `site/css/socket` is a socket: it has no content that could be copied
        help: remove it, or move it out of the tree"#]]
    .assert_eq(&checkout.error("site"));
    expect![[r#"
        `site/css/socket` is a socket: it has no content that could be copied
        help: remove it, or move it out of the tree"#]]
    .assert_eq(&checkout.error("site/css/socket"));
    fs::remove_file(socket).unwrap();
    rustix::fs::mknodat(
        CWD,
        checkout.path("site/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    expect![[r#"
        `site/pipe` is a named pipe: it has no content that could be copied
        help: remove it, or move it out of the tree"#]]
    .assert_eq(&checkout.error("site/"));
    fs::remove_file(checkout.path("site/pipe")).unwrap();
    let odd = checkout.path("site").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::write(&odd, "").unwrap();
    expect![[r#"
        the name of `site/caf�` is not UTF-8
        help: rename it: documents and images carry UTF-8 names only"#]]
    .assert_eq(&checkout.error("site"));
    fs::remove_file(odd).unwrap();
    symlink(std::ffi::OsStr::from_bytes(b"caf\xe9"), checkout.path("site/odd")).unwrap();
    expect![[r#"
        the target of the link `site/odd` is not UTF-8
        help: rename it: documents and images carry UTF-8 names only"#]]
    .assert_eq(&checkout.error("site"));
}

#[test]
fn what_is_no_text_is_an_error() {
    let checkout = Checkout::new();
    fs::write(checkout.path("latin1"), b"one\ncaf\xe9\n").unwrap();
    fs::write(checkout.path("large"), vec![b'x'; 16 * 1024 * 1024 + 1]).unwrap();
    fs::write(checkout.path("largest"), vec![b'x'; 16 * 1024 * 1024]).unwrap();
    let error = |relative| {
        checkout.shown(&checkout.inputs.read_text(&checkout.root(), relative).unwrap_err())
    };
    expect![[r#"
        `latin1` is not UTF-8 text: line 2
        help: convert it to UTF-8, or use `copy` for what is no text"#]]
    .assert_eq(&error("latin1"));
    expect![[r#"
        `large` is larger than 16 MiB
        help: use `copy` for what is no template and no script"#]]
    .assert_eq(&error("large"));
    expect![[r#"
        `site` is a directory
        help: name a file: templates and scripts are text"#]]
    .assert_eq(&error("site"));
    expect![[r#"
        `nope` was not found in `ROOT`
        help: create it, or correct the path in the recipe"#]]
    .assert_eq(&error("nope"));
    assert!(checkout.inputs.read_text(&checkout.root(), "largest").is_ok());
}
