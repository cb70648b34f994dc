//! When a digest of an earlier run is believed.

use super::{Checkout, an_hour_later, rewrite_in_a_later_tick, set_modified, the_epoch};
use crate::Digest;
use crate::inputs::{EntryKind, Inputs, Manifest, stamp, stat_cache};
use std::fs;
use std::os::unix::fs::MetadataExt;

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
fn rewrite_right_after_hashing_is_noticed_by_the_real_clock() {
    let checkout = Checkout::with_clock(stamp::now);
    let path = checkout.path("site/index.html");
    for number in 1000..1500 {
        let text = number.to_string();
        fs::write(&path, &text).unwrap();
        set_modified(&path, 1_000_000_000, 0);
        assert_eq!(checkout.digest("site/index.html"), Digest::of(text.as_bytes()));
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
