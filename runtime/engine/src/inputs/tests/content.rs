//! What is content, and what is not.

use super::{Checkout, set_modified};
use crate::Digest;
use crate::inputs::{EntryKind, Input};
use expect_test::expect;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn tree_lists_every_entry_sorted_by_path() {
    let checkout = Checkout::new();
    let paths: Vec<_> =
        checkout.manifest("site").entries.iter().map(|entry| entry.path.clone()).collect();
    let expected = ["css", "css-old", "css/a.css", "empty", "index.html", "latest", "run.sh"];
    assert_eq!(paths, expected);
}

#[test]
fn digest_of_a_tree_is_pinned() {
    expect!["4558e539597e4f204b2231cc92aa99eb9ca015e05a2e30020e47e99ec302b6a2"]
        .assert_eq(&Checkout::new().digest("site").to_string());
}

#[test]
fn digest_of_a_file_is_blake3_of_its_content() {
    let checkout = Checkout::new();
    let Input::File { path, digest, size, executable } = checkout.read("site/run.sh").unwrap()
    else {
        panic!("not a file")
    };
    assert_eq!(path, checkout.path("site/run.sh").canonicalize().unwrap());
    assert_eq!((digest, size, executable), (Digest::of(b"#!/bin/sh\n"), 10, true));
}

#[test]
fn equal_trees_at_different_paths_have_equal_digests() {
    assert_eq!(Checkout::new().digest("site"), Checkout::new().digest("site"));
    let checkout = Checkout::new();
    let whole = checkout.digest("site");
    fs::rename(checkout.path("site"), checkout.path("elsewhere")).unwrap();
    assert_eq!(checkout.digest("elsewhere/"), whole);
}

#[test]
fn what_is_no_content_does_not_move_the_digest() {
    let checkout = Checkout::new();
    let before = checkout.digest("site");
    checkout.chmod("site/index.html", 0o600);
    assert_eq!(checkout.digest("site"), before, "mode");
    checkout.chmod("site/css", 0o700);
    assert_eq!(checkout.digest("site"), before, "mode of a directory");
    set_modified(&checkout.path("site/index.html"), 1_000_000_000, 0);
    assert_eq!(checkout.digest("site"), before, "mtime");
    checkout.chmod("site/run.sh", 0o744);
    assert_eq!(checkout.digest("site"), before, "others' x bits");
}

#[test]
fn every_change_of_content_moves_the_digest_and_is_named() {
    type Mutation = fn(&Checkout);
    let mutations: [(Mutation, &str); 10] = [
        (|c| c.write("site/index.html", "<h1>hullo</h1>"), "`index.html` changed"),
        (|c| c.write("site/about.html", ""), "`about.html` was added"),
        (|c| c.write("site/z", ""), "`z` was added"),
        (|c| fs::remove_file(c.path("site/css/a.css")).unwrap(), "`css/a.css` was removed"),
        (|c| c.chmod("site/index.html", 0o755), "`index.html` became executable"),
        (|c| c.chmod("site/run.sh", 0o655), "`run.sh` is no longer executable"),
        (|c| fs::create_dir(c.path("site/logs")).unwrap(), "`logs` was added"),
        (|c| fs::remove_dir(c.path("site/empty")).unwrap(), "`empty` was removed"),
        (
            |c| {
                fs::remove_file(c.path("site/latest")).unwrap();
                symlink("run.sh", c.path("site/latest")).unwrap();
            },
            "`latest` points to `run.sh` instead of `index.html`",
        ),
        (
            |c| {
                fs::remove_dir(c.path("site/empty")).unwrap();
                c.write("site/empty", "");
            },
            "`empty` is a file instead of a directory",
        ),
    ];
    for (mutate, words) in mutations {
        let checkout = Checkout::new();
        let before = checkout.manifest("site");
        mutate(&checkout);
        let after = checkout.manifest("site");
        assert_ne!(before.digest(), after.digest(), "{words}");
        let difference = before.first_difference(&after).unwrap();
        assert_eq!(difference.to_string(), words);
    }
}

#[test]
fn deep_and_wide_trees_are_read_whole() {
    let checkout = Checkout::new();
    let deep = "d/".repeat(500);
    checkout.write(&format!("deep/{deep}f"), "deep");
    assert_eq!(checkout.manifest("deep").entries.len(), 501);
    for number in 0..3000 {
        checkout.write(&format!("wide/{number}"), &number.to_string());
    }
    let manifest = checkout.manifest("wide");
    assert_eq!(manifest.entries.len(), 3000);
    for entry in &manifest.entries {
        let expected = Digest::of(entry.path.as_bytes());
        assert!(matches!(&entry.kind, EntryKind::File { digest, .. } if *digest == expected));
    }
    assert_eq!(checkout.manifest("wide"), manifest);
}

#[test]
fn text_is_read_with_its_digest() {
    let checkout = Checkout::new();
    let (text, digest) = checkout.inputs.read_text(&checkout.root(), "site/run.sh").unwrap();
    assert_eq!((text.as_str(), digest), ("#!/bin/sh\n", Digest::of(b"#!/bin/sh\n")));
}
