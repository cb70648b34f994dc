//! What a state in a folder promises beside what every state does: clocks that are set, and folders that a group shares.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use kiln_engine::driver::{NotYours, State};
use kiln_state::Shared;
use std::collections::BTreeMap;
use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::*;

/// A folder with the lease of one that was killed, written when the clock was an hour ahead.
async fn from_the_future(time: Duration) -> (tempfile::TempDir, Shared) {
    let folder = tempfile::tempdir().unwrap();
    let state = Shared::in_folder(folder.path().into(), time);
    drop(state.lease("production", &holder("killed"), NO_WAIT).await.unwrap());
    let ahead = FileTimes::new().set_modified(SystemTime::now() + 60 * MINUTE);
    let lease = folder.path().join("production/lease.json");
    File::options().write(true).open(lease).unwrap().set_times(ahead).unwrap();
    (folder, state)
}

#[tokio::test]
async fn a_lease_from_the_future_is_over_when_it_was_watched_for_its_time() {
    let (_folder, state) = from_the_future(Duration::from_millis(300)).await;
    let began = Instant::now();
    let lease = state.lease("production", &holder("b"), MINUTE).await.unwrap();
    // Its time, and what times are rounded by.
    assert!(began.elapsed() >= Duration::from_millis(1300), "{:?}", began.elapsed());
    lease.check().unwrap();
    lease.release().await.unwrap();
}

#[tokio::test]
async fn who_does_not_wait_for_a_lease_from_the_future_is_told_whose_it_is_and_for_how_long() {
    let (_folder, state) = from_the_future(MINUTE).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let refused = state.lease("production", &holder("b"), NO_WAIT).await.err().unwrap();
    assert_eq!(held_by(&refused), "killed");
    let NotYours::Held { until, .. } = refused else { panic!("{refused:?}") };
    // Its time, what times are rounded by, and how long this test may take.
    assert!((now + 61..now + 120).contains(&until), "{until} at {now}");
}

/// A state in this folder, with something of every kind in it.
async fn filled(root: &Path) {
    let state = Shared::in_folder(root.into(), MINUTE);
    let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
    state.lease("production", &holder("b"), NO_WAIT).await.err().unwrap();
    lease.intend(Some(&intent(4))).await.unwrap();
    lease.record(&entry(4)).await.unwrap();
    lease.release().await.unwrap();
}

/// All that is below a directory.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let with_theirs = |path: PathBuf| {
        let theirs = if path.is_dir() { below(&path) } else { Vec::new() };
        [vec![path], theirs].concat()
    };
    entries.flat_map(with_theirs).collect()
}

/// What is below a directory, by its path: its permissions and its group.
fn rights(folder: &Path) -> BTreeMap<String, (u32, u32)> {
    let of = |path: PathBuf| {
        let meta = path.metadata().unwrap();
        let path = path.strip_prefix(folder).unwrap().display().to_string();
        (path, (meta.mode() & 0o7777, meta.gid()))
    };
    below(folder).into_iter().map(of).collect()
}

/// A directory with these permissions, and as root also of a group that is not the maker's.
fn folder_with(mode: u32) -> (tempfile::TempDir, u32) {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().metadata().unwrap().gid();
    let other = std::os::unix::fs::chown(folder.path(), None, Some(4242)).is_ok();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    (folder, if other { 4242 } else { own })
}

const DIRECTORIES: [&str; 3] = [".begun", "production", "production/history"];
const FILES: [&str; 5] = [
    "production/.lock",
    "production/clock",
    "production/history/.lock",
    "production/history/000001.json",
    "production/lease.json",
];

#[tokio::test]
async fn what_is_made_in_a_folder_that_its_group_may_write_belongs_to_the_group() {
    for (root, directory, file) in
        [(0o2770, 0o2770, 0o660), (0o770, 0o770, 0o660), (0o2775, 0o2775, 0o664)]
    {
        let (folder, group) = folder_with(root);
        filled(folder.path()).await;
        let mut found = rights(folder.path());
        found.retain(|path, _| !path.starts_with(".begun/"));
        let directories = DIRECTORIES.map(|path| (path.to_owned(), (directory, group)));
        let files = FILES.map(|path| (path.to_owned(), (file, group)));
        let expected: BTreeMap<_, _> = directories.into_iter().chain(files).collect();
        assert_eq!(found, expected, "{root:o}");
    }
}

#[tokio::test]
async fn what_is_made_in_any_other_folder_is_its_makers_alone() {
    for root in [0o700, 0o755, 0o2755, 0o750, 0o1757] {
        let (folder, _) = folder_with(root);
        filled(folder.path()).await;
        let found = rights(folder.path());
        assert!(found.len() >= DIRECTORIES.len() + FILES.len(), "{found:?}");
        for (path, (mode, _)) in found {
            let expected = if folder.path().join(&path).is_dir() { 0o700 } else { 0o600 };
            // A directory inherits that bit from the one that it is in.
            assert_eq!(mode & !0o2000, expected, "{path} in {root:o}");
        }
    }
}

#[tokio::test]
async fn a_projects_folder_is_shared_where_it_is_made_in_one_that_hands_its_group_down() {
    for (above, expected) in [(0o2770, 0o2770), (0o770, 0o700), (0o1777, 0o700)] {
        let (folder, group) = folder_with(above);
        filled(&folder.path().join("team/shop")).await;
        for made in ["team", "team/shop", "team/shop/production"] {
            let meta = folder.path().join(made).metadata().unwrap();
            assert_eq!(meta.mode() & 0o7777, expected, "{made} in {above:o}");
            assert!(expected == 0o700 || meta.gid() == group, "{made} is of {}", meta.gid());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_write_into_a_state_meet_without_harm() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let state = Shared::in_folder(folder.path().join("not/there/yet"), MINUTE);
        let first = (0..8).map(|number| {
            let state = state.clone();
            tokio::spawn(async move {
                let name = format!("deployment-{number}");
                state
                    .lease(&name, &holder("a"), NO_WAIT)
                    .await
                    .map(drop)
                    .map_err(|error| format!("{error:?}"))
            })
        });
        for one in first.collect::<Vec<_>>() {
            one.await.unwrap().unwrap();
        }
    }
}
