//! What a state promises, the same in a folder and in a bucket of what speaks S3.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod s3;
mod support;

use kiln_engine::driver::State;
use kiln_state::Shared;
use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;
use support::*;

/// A place for states: a folder, or a bucket.
enum Where {
    Folder(tempfile::TempDir),
    Bucket(s3::Server),
}

impl Where {
    fn all() -> Vec<Self> {
        vec![Self::Folder(tempfile::tempdir().unwrap()), Self::Bucket(s3::Server::start())]
    }

    /// How another process finds it.
    fn url(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path().display().to_string(),
            Self::Bucket(server) => server.endpoint(),
        }
    }

    async fn state(&self, lease_time: Duration) -> Shared {
        open(&self.url(), lease_time).await
    }
}

async fn open(url: &str, lease_time: Duration) -> Shared {
    if url.starts_with("http://") {
        Shared::in_bucket(s3::bucket(url).await, lease_time)
    } else {
        Shared::in_folder(url.into(), lease_time)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_has_a_lease_and_the_next_is_told_who() {
    for place in Where::all() {
        let state = place.state(MINUTE).await;
        let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        let refused = state.lease("production", &holder("b"), NO_WAIT).await.err().unwrap();
        assert_eq!(held_by(&refused), "a");
        // Another deployment is another lease.
        state.lease("staging", &holder("b"), NO_WAIT).await.unwrap().release().await.unwrap();
        lease.check().unwrap();
        lease.release().await.unwrap();
        state.lease("production", &holder("b"), NO_WAIT).await.unwrap().release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_lease_when_it_is_given_back() {
    for place in Where::all() {
        let state = place.state(MINUTE).await;
        let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        let (other, b) = (state.clone(), holder("b"));
        let waiting =
            tokio::spawn(async move { other.lease("production", &b, MINUTE).await.is_ok() });
        lease.release().await.unwrap();
        assert!(waiting.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_outlives_its_time_while_its_holder_lives() {
    for place in Where::all() {
        let state = place.state(Duration::from_secs(2)).await;
        let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        // Twice its time and what times are rounded by.
        let refused = state.lease("production", &holder("b"), Duration::from_secs(6)).await;
        assert_eq!(held_by(&refused.err().unwrap()), "a");
        lease.check().unwrap();
        lease.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_stays_until_it_has_ended_whoever_has_the_lease() {
    for place in Where::all() {
        let state = place.state(MINUTE).await;
        let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        assert_eq!(lease.intent().await.unwrap(), None);
        assert!(state.intents().await.unwrap().is_empty());
        lease.intend(Some(&intent(4))).await.unwrap();
        lease.release().await.unwrap();
        assert_eq!(state.intents().await.unwrap(), [("production".into(), intent(4))].into());
        let lease = state.lease("production", &holder("b"), NO_WAIT).await.unwrap();
        assert_eq!(lease.intent().await.unwrap(), Some(intent(4)));
        lease.intend(None).await.unwrap();
        assert!(state.intents().await.unwrap().is_empty());
        assert_eq!(lease.intent().await.unwrap(), None);
        lease.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_kept_in_its_order() {
    for place in Where::all() {
        let state = place.state(MINUTE).await;
        assert!(state.history("production").await.unwrap().is_empty());
        let lease = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        for generation in 1..=12 {
            lease.record(&entry(generation)).await.unwrap();
        }
        lease.release().await.unwrap();
        let history = state.history("production").await.unwrap();
        assert_eq!(history, (1..=12).map(entry).collect::<Vec<_>>());
        assert!(state.history("staging").await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_time_is_over_is_lost_and_writes_nothing_more() {
    for place in Where::all() {
        // It is never prolonged: its keeper would write after a quarter of an hour.
        let state = place.state(Duration::from_millis(1)).await;
        let lost = state.lease("production", &holder("a"), NO_WAIT).await.unwrap();
        let taker = place.state(MINUTE).await;
        let lease = taker.lease("production", &holder("b"), MINUTE).await.unwrap();
        let error = lost.check().unwrap_err().to_string();
        assert!(error.contains("lost"), "{error}");
        assert!(lost.intend(Some(&intent(9))).await.is_err());
        assert!(lost.record(&entry(9)).await.is_err());
        assert_eq!(lease.intent().await.unwrap(), None);
        lease.intend(Some(&intent(5))).await.unwrap();
        assert!(state.history("production").await.unwrap().is_empty());
        lease.release().await.unwrap();
    }
}

#[tokio::test]
async fn a_name_never_leads_out_of_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = Shared::in_folder(folder.path().join("state"), MINUTE);
    for name in ["../x", "a/b", "", ".", "..", ".lock"] {
        assert!(state.lease(name, &holder("a"), NO_WAIT).await.is_err(), "{name}");
        assert!(state.history(name).await.is_err(), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named_in_one_line() {
    let server = s3::Server::start();
    let state = Shared::in_bucket(s3::bucket_named("nobodys", &server.endpoint()).await, MINUTE);
    let error = state.history("production").await.unwrap_err();
    let message = error.chain();
    assert!(
        message.contains("`s3://nobodys/team/kiln`") && message.contains("NoSuchBucket"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(error.help_text().unwrap().contains("make the bucket"));
    let refused = state.lease("production", &holder("a"), NO_WAIT).await.err().unwrap();
    assert!(matches!(refused, kiln_engine::driver::NotYours::Failed(_)), "{refused:?}");
}

/// Each of two processes takes part in 100 races; for each, one line with `1` if it has won.
#[test]
fn of_two_processes_that_race_exactly_one_has_the_lease() {
    const RACES: usize = 100;
    for place in Where::all() {
        let url = place.url();
        let start =
            |run: &str| process("races", &[("KILN_TEST_STATE", &url), ("KILN_TEST_RUN", run)]);
        let mut racers = [start("a"), start("b")];
        let mut readers: Vec<_> =
            racers.iter_mut().map(|racer| BufReader::new(racer.stdout.take().unwrap())).collect();
        let mut wins = [0, 0];
        for race in 0..RACES {
            for racer in &mut racers {
                writeln!(racer.stdin.as_mut().unwrap(), "{race}").unwrap();
            }
            let won: Vec<bool> = readers.iter_mut().map(won).collect();
            assert!(won[0] != won[1], "race {race} in {url}: {won:?}");
            wins[usize::from(won[1])] += 1;
        }
        for mut racer in racers {
            drop(racer.stdin.take());
            assert!(racer.wait().unwrap().success());
        }
        assert_eq!(wins[0] + wins[1], RACES);
    }
}

/// The next answer; what the test's frame prints is passed over.
fn won(reader: &mut BufReader<std::process::ChildStdout>) -> bool {
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        match line.trim().rsplit_once("won=") {
            Some((_, answer)) => return answer == "1",
            None => line.clear(),
        }
    }
    panic!("a racer has ended");
}

/// A process of the race above: a lease of its own for each line that it reads, kept to the end.
#[test]
#[ignore = "a process of another test"]
fn races() {
    let Ok(url) = std::env::var("KILN_TEST_STATE") else { return };
    let run = std::env::var("KILN_TEST_RUN").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let state = open(&url, MINUTE).await;
        let mut leases = Vec::new();
        for race in std::io::stdin().lock().lines() {
            let lease =
                state.lease(&format!("race-{}", race.unwrap()), &holder(&run), NO_WAIT).await;
            say(&format!("won={}", u8::from(lease.is_ok())));
            leases.extend(lease.ok());
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_holders_lease_is_free_when_its_time_is_over_with_its_intent() {
    for place in Where::all() {
        let mut killed = process("holds", &[("KILN_TEST_STATE", &place.url())]);
        let mut reader = BufReader::new(killed.stdout.take().unwrap());
        assert!(won(&mut reader));
        let state = place.state(MINUTE).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        let refused = state.lease("production", &holder("b"), NO_WAIT).await.err().unwrap();
        assert_eq!(held_by(&refused), "killed");
        let lease = state.lease("production", &holder("b"), MINUTE).await.unwrap();
        assert_eq!(lease.intent().await.unwrap(), Some(intent(7)));
        lease.release().await.unwrap();
    }
}

/// A process that holds a lease for two seconds at a time until it is killed.
#[test]
#[ignore = "a process of another test"]
fn holds() {
    let Ok(url) = std::env::var("KILN_TEST_STATE") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let state = open(&url, Duration::from_secs(2)).await;
        let lease = state.lease("production", &holder("killed"), NO_WAIT).await.unwrap();
        lease.intend(Some(&intent(7))).await.unwrap();
        say("won=1");
        // Until somebody ends us.
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
            .await
            .unwrap()
            .unwrap();
    });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
