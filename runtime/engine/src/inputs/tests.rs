//! The rules of hashing, each with a real directory.

use super::stamp;
use super::stat_cache::{self, Known};
use super::{EntryKind, Input, Inputs, Manifest};
use crate::{Digest, Error};
use expect_test::expect;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A root with a `site` tree, and a place for stat caches.
struct Checkout {
    directory: TempDir,
    inputs: Inputs,
}

/// A clock by which everything that exists has stood still for an hour.
fn an_hour_later() -> i64 {
    stamp::now() + 3_600_000_000_000
}

/// A clock by which everything that exists was written just now or later.
fn the_epoch() -> i64 {
    0
}

impl Checkout {
    fn new() -> Self {
        Self::with_clock(an_hour_later)
    }

    fn with_clock(now: fn() -> i64) -> Self {
        let directory = TempDir::new().unwrap();
        let inputs = Inputs::with_clock(directory.path().join("cache"), now);
        let checkout = Self { directory, inputs };
        fs::create_dir_all(checkout.path("site/empty")).unwrap();
        checkout.write("site/index.html", "<h1>hello</h1>");
        checkout.write("site/css/a.css", "a {}");
        checkout.write("site/css-old", "b {}");
        checkout.write("site/run.sh", "#!/bin/sh\n");
        checkout.chmod("site/run.sh", 0o755);
        symlink("index.html", checkout.path("site/latest")).unwrap();
        checkout
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn chmod(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, relative: &str) -> Result<Input, Error> {
        self.inputs.read(&self.root(), relative)
    }

    fn digest(&self, relative: &str) -> Digest {
        self.read(relative).unwrap().digest()
    }

    fn manifest(&self, relative: &str) -> Arc<Manifest> {
        match self.read(relative).unwrap() {
            Input::Tree { manifest, .. } => manifest,
            Input::File { .. } => panic!("`{relative}` is a file"),
        }
    }

    /// The message and the help, without this machine's paths.
    fn error(&self, relative: &str) -> String {
        let error = self.read(relative).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Input);
        assert_eq!(error.origin(), None);
        self.shown(&error)
    }

    fn shown(&self, error: &Error) -> String {
        format!("{}\nhelp: {}", error.chain(), error.help_text().unwrap_or("none"))
            .replace(self.root().to_str().unwrap(), "ROOT")
    }

    fn cache(&self, relative: &str) -> PathBuf {
        let input = self.path(relative).canonicalize().unwrap();
        stat_cache::location(&self.directory.path().join("cache"), &input)
    }

    /// What the stat cache holds about an input.
    fn known(&self, relative: &str) -> Vec<(String, Digest)> {
        let bytes = stat_cache::load(&self.cache(relative));
        let known = stat_cache::decode(&bytes).into_iter();
        known.map(|Known { path, stamp: _, digest }| (path.to_owned(), digest)).collect()
    }

    /// Makes the stat cache lie about every file, so that believing it shows.
    fn poison(&self, relative: &str) {
        let bytes = stat_cache::load(&self.cache(relative));
        let mut known = stat_cache::decode(&bytes);
        assert!(!known.is_empty(), "nothing to poison");
        for known in &mut known {
            known.digest = poison();
        }
        stat_cache::save(&self.cache(relative), &known).unwrap();
    }

    /// Whether any digest of this input is the poison.
    fn believes_the_poison(&self, relative: &str) -> bool {
        match self.read(relative).unwrap() {
            Input::File { digest, .. } => digest == poison(),
            Input::Tree { manifest, .. } => manifest.entries.iter().any(
                |entry| matches!(&entry.kind, EntryKind::File { digest, .. } if *digest == poison()),
            ),
        }
    }
}

fn poison() -> Digest {
    Digest::of(b"poison")
}

fn set_modified(path: &Path, seconds: i64, nanoseconds: i64) {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: omit, last_modification: modified };
    utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

/// Writes until the kernel's clock has moved on from what the file was stamped with, as any write does
/// that comes a tick later.
fn rewrite_in_a_later_tick(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap();
    loop {
        fs::write(path, text).unwrap();
        set_modified(path, before.mtime(), before.mtime_nsec());
        let after = fs::metadata(path).unwrap();
        assert_eq!((after.size(), after.ino()), (before.size(), before.ino()));
        if (after.ctime(), after.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
            return;
        }
    }
}

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
fn file_that_stands_still_is_not_read_again() {
    let checkout = Checkout::new();
    for input in ["site", "site/index.html"] {
        checkout.digest(input);
        checkout.poison(input);
        assert!(checkout.believes_the_poison(input), "{input}");
    }
}

#[test]
fn rewrite_with_the_same_size_and_mtime_is_noticed() {
    let checkout = Checkout::new();
    let path = checkout.path("site/index.html");
    for input in ["site", "site/index.html"] {
        fs::write(&path, "<h1>hello</h1>").unwrap();
        let before = checkout.digest(input);
        assert!(!checkout.known(input).is_empty());
        rewrite_in_a_later_tick(&path, "<h1>hullo</h1>");
        assert_ne!(checkout.digest(input), before, "{input}");
    }
}

#[test]
fn file_replaced_by_another_of_the_same_times_is_noticed() {
    let checkout = Checkout::new();
    let path = checkout.path("site/index.html");
    checkout.digest("site");
    checkout.poison("site");
    let before = fs::metadata(&path).unwrap();
    checkout.write("other", "<h1>hullo</h1>");
    set_modified(&checkout.path("other"), before.mtime(), before.mtime_nsec());
    fs::rename(checkout.path("other"), &path).unwrap();
    let entry_digest = |manifest: &Manifest| {
        manifest.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::File { digest, .. } if entry.path == "index.html" => Some(*digest),
            _ => None,
        })
    };
    assert_eq!(entry_digest(&checkout.manifest("site")), Some(Digest::of(b"<h1>hullo</h1>")));
}

#[test]
fn young_file_is_neither_recorded_nor_trusted() {
    let checkout = Checkout::with_clock(the_epoch);
    for input in ["site", "site/index.html"] {
        checkout.digest(input);
        assert_eq!(checkout.known(input), [], "{input}");
        // An entry that should not be there is not believed either.
        let settled = Inputs::with_clock(checkout.directory.path().join("cache"), an_hour_later);
        settled.read(&checkout.root(), input).unwrap();
        checkout.poison(input);
        assert!(!checkout.believes_the_poison(input), "{input}");
    }
}

#[test]
fn file_from_the_future_is_never_trusted_and_the_rest_is() {
    let checkout = Checkout::new();
    let next_year = an_hour_later() / 1_000_000_000 + 31_536_000;
    set_modified(&checkout.path("site/index.html"), next_year, 0);
    checkout.digest("site");
    let known: Vec<_> = checkout.known("site").into_iter().map(|(path, _)| path).collect();
    assert_eq!(known, ["css-old", "css/a.css", "run.sh"]);
    checkout.digest("site/index.html");
    assert_eq!(checkout.known("site/index.html"), []);
}

#[test]
fn damaged_cache_is_ignored_and_replaced() {
    let checkout = Checkout::new();
    let before = checkout.digest("site");
    let whole = fs::read(checkout.cache("site")).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(checkout.cache("site"), damaged).unwrap();
        assert!(stat_cache::load(&checkout.cache("site")).is_empty(), "byte {place}");
    }
    for length in 0..whole.len() {
        fs::write(checkout.cache("site"), &whole[..length]).unwrap();
        assert!(stat_cache::load(&checkout.cache("site")).is_empty(), "length {length}");
    }
    assert_eq!(checkout.digest("site"), before);
    assert_eq!(fs::read(checkout.cache("site")).unwrap(), whole);
}

#[test]
fn cache_that_cannot_be_written_is_no_error() {
    let checkout = Checkout::new();
    fs::write(checkout.directory.path().join("cache"), "not a directory").unwrap();
    checkout.digest("site");
    checkout.digest("site/index.html");
}

#[test]
fn cache_leaves_no_temporary_files_and_forgets_removed_files() {
    let checkout = Checkout::new();
    checkout.digest("site");
    fs::remove_file(checkout.path("site/css-old")).unwrap();
    checkout.digest("site");
    let known: Vec<_> = checkout.known("site").into_iter().map(|(path, _)| path).collect();
    assert_eq!(known, ["css/a.css", "index.html", "run.sh"]);
    let caches = fs::read_dir(checkout.directory.path().join("cache")).unwrap().count();
    assert_eq!(caches, 1);
}

#[test]
fn unchanged_tree_does_not_rewrite_the_cache() {
    let checkout = Checkout::new();
    checkout.digest("site");
    let before = fs::metadata(checkout.cache("site")).unwrap().ino();
    let held = fs::File::open(checkout.cache("site")).unwrap();
    checkout.digest("site");
    assert_eq!(fs::metadata(checkout.cache("site")).unwrap().ino(), before);
    drop(held);
}

#[test]
fn concurrent_readers_agree_and_leave_a_whole_cache() {
    let checkout = Checkout::new();
    let expected = checkout.digest("site");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|reader| {
                let checkout = &checkout;
                scope.spawn(move || {
                    for _ in 0..20 {
                        if reader % 2 == 0 {
                            let _ = fs::remove_file(checkout.cache("site"));
                        }
                        assert_eq!(checkout.digest("site"), expected);
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
    });
    checkout.digest("site");
    assert_eq!(checkout.known("site").len(), 4);
}

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
