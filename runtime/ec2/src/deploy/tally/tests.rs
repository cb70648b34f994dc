use super::*;
use kiln::{HealthCheck, Origin};

/// Asked every five seconds; two answers in a row say something.
fn terms(is_told_later: bool) -> Terms {
    let health = Health {
        origin: Origin { file: String::new(), line: 1, column: 1 },
        check: HealthCheck::Tcp { port: 80 },
        interval_ms: 5000,
        timeout_ms: 1000,
        healthy: 2,
        unhealthy: 2,
        within_ms: 10_000,
        soak_ms: 0,
    };
    Terms::of(&health, is_told_later)
}

fn after(asked: &[Asked], terms: Terms) -> Tally {
    let mut tally = Tally::new();
    asked.iter().for_each(|asked| tally.add(asked.clone(), terms));
    tally
}

fn refused() -> Asked {
    Asked::Failed("nothing listens on port 80".into())
}

fn unhealthy(why: &str) -> Told {
    Told::Unhealthy(why.into())
}

#[test]
fn where_nobody_else_asks_a_server_passes_as_often_as_declared() {
    let terms = terms(false);
    assert_eq!(after(&[Asked::Passed], terms).told(terms), Told::NotYet);
    assert_eq!(after(&[Asked::Passed, Asked::Passed], terms).told(terms), Told::Healthy);
    let flickers = [Asked::Passed, refused(), Asked::Passed];
    assert_eq!(after(&flickers, terms).told(terms), Told::NotYet);
}

#[test]
fn where_a_load_balancer_asks_too_one_answer_is_enough_however_often_it_failed_while_it_booted() {
    let terms = terms(true);
    assert_eq!(after(&[Asked::Passed], terms).told(terms), Told::Healthy);
    let boots = [Asked::OutOfReach, refused(), refused(), refused(), Asked::Passed];
    assert_eq!(after(&boots, terms).told(terms), Told::Healthy);
}

#[test]
fn a_healthy_server_falls_ill_by_so_many_failures_and_recovers_by_so_many_answers() {
    let terms = terms(true);
    let mut tally = after(&[Asked::Passed, refused()], terms);
    assert_eq!(tally.told(terms), Told::Healthy, "one failure is an accident");
    tally.add(refused(), terms);
    assert_eq!(tally.told(terms), unhealthy("nothing listens on port 80"));
    tally.add(Asked::Passed, terms);
    assert_eq!(tally.told(terms), unhealthy("nothing listens on port 80"));
    tally.add(Asked::Passed, terms);
    assert_eq!(tally.told(terms), Told::Healthy);
}

#[test]
fn silence_is_a_failure_only_after_an_answer() {
    let terms = terms(false);
    let mut tally = after(&[Asked::OutOfReach], terms);
    assert_eq!(tally.told(terms), Told::NotYet, "it may still boot");
    tally.since -= BOOTS_WITHIN;
    assert_eq!(tally.told(terms), Told::NotAskable);
    for asked in [Asked::Passed, Asked::OutOfReach, Asked::OutOfReach] {
        tally.add(asked, terms);
    }
    assert_eq!(tally.told(terms), unhealthy("it does not answer any more"));
}

#[test]
fn until_its_first_pass_a_server_is_asked_more_often_than_declared_then_as_declared() {
    let terms = terms(false);
    let mut tally = after(&[refused()], terms);
    assert_eq!(tally.pause(terms), SOONEST);
    tally.since -= Duration::from_secs(10);
    let pause = tally.pause(terms);
    assert!(pause >= Duration::from_millis(400) && pause < LATEST, "{pause:?}");
    tally.since -= Duration::from_secs(600);
    assert_eq!(tally.pause(terms), LATEST);
    tally.add(Asked::Passed, terms);
    assert_eq!(tally.pause(terms), LATEST, "the second answer need not wait either");
    tally.add(Asked::Passed, terms);
    assert_eq!(tally.pause(terms), Duration::from_secs(5));
    tally.add(refused(), terms);
    assert_eq!(tally.pause(terms), Duration::from_secs(5), "it is not asked harder for being ill");
}

#[test]
fn an_answer_that_may_be_one_of_several_settles_nothing_yet() {
    let terms = terms(false);
    assert!(!Tally::new().is_settled());
    assert!(!after(&[Asked::Passed], terms).is_settled());
    assert!(!after(&[refused()], terms).is_settled());
    assert!(after(&[Asked::Passed, Asked::Passed], terms).is_settled());
    assert!(after(&[refused(), refused()], terms).is_settled());
    assert!(after(&[Asked::OutOfReach], terms).is_settled());
}
