//! What stands before the servers changes: what serves is asked and served as before until another generation has taken
//! the traffic, and when that fails, or dies, all is as it was.

use crate::bench::{Bench, RED_BLACK, desired, node};
use crate::executed::{ROLLING, changes, deployed, unbroken};
use crate::world::Fault;
use kiln::{HealthCheck, Strategy};
use kiln_engine::deploy::{Change, Desired, Outcome};

/// Another image, asked at another path, which servers of the first image do not answer.
fn checked(strategy: Strategy, version: u32) -> Desired {
    let mut wanted = desired(&node("web", 2, strategy), version);
    let health = wanted.node.health.as_mut().unwrap();
    health.check = HealthCheck::Http { port: 80, path: "/ready".into(), status: 200 };
    wanted
}

/// A world in which the first image serves, and nothing else answers at the new path than the second.
fn asked(strategy: Strategy) -> Bench {
    let bench = deployed(strategy, 2);
    bench.world.lock().unfit.insert(("ami-1".into(), "http 80 /ready".into()));
    bench
}

fn failed(bench: &Bench, wanted: &Desired) -> kiln_engine::Error {
    let mut outcomes = bench.deploy(std::slice::from_ref(wanted)).unwrap();
    match outcomes.remove("web") {
        Some(Outcome::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// All is as the first deploy has left it.
fn untouched(bench: &Bench, strategy: Strategy, told: &str) {
    assert_eq!(bench.world.lock().front["web"]["health"], "http 80 /healthz", "{told}");
    let plan = bench.plan(&[desired(&node("web", 2, strategy), 1)]);
    assert_eq!(plan.work().count(), 0, "{told}: {plan:?}");
    assert!(bench.memory.lock().intents.is_empty(), "{told}");
    unbroken(bench);
}

#[test]
fn what_is_to_be_done_is_written_down_before_anything_is_changed() {
    let bench = asked(RED_BLACK);
    bench.deploy(&[checked(RED_BLACK, 2)]).unwrap();
    let expected =
        ["intend", "prepare", "launch 2", "attach 2", "detach 1", "settle", "record", "intend"];
    assert_eq!(changes(&bench), expected);
}

#[test]
fn old_servers_that_do_not_answer_the_new_check_serve_until_the_new_ones_have_the_traffic() {
    for strategy in [RED_BLACK, ROLLING] {
        let bench = asked(strategy);
        let wanted = [checked(strategy, 2)];
        bench.deploy(&wanted).unwrap();
        assert_eq!(bench.world.numbers("web").0, [2]);
        assert_eq!(bench.world.lock().front["web"]["health"], "http 80 /ready");
        assert_eq!(bench.plan(&wanted).deployments[0].change, Change::Nothing);
        unbroken(&bench);
        // And back: the old image is asked as it was.
        bench.rollback("web", None).unwrap();
        assert_eq!(bench.world.lock().front["web"]["health"], "http 80 /healthz");
        unbroken(&bench);
    }
}

#[test]
fn what_stands_before_the_servers_is_as_it_was_after_a_failure() {
    for strategy in [RED_BLACK, ROLLING] {
        let bench = asked(strategy);
        bench.world.lock().sick.insert("ami-2".into());
        let wanted = checked(strategy, 2);
        let error = failed(&bench, &wanted);
        assert!(error.help_text().unwrap().ends_with("generation 1 serves as before"), "{error}");
        untouched(&bench, strategy, "failed");
    }
}

#[test]
fn refused_or_killed_at_any_call_it_is_as_it_was_when_that_is_declared_again() {
    let mut times = 0;
    for (strategy, fault) in [RED_BLACK, ROLLING]
        .into_iter()
        .flat_map(|one| [Fault::Refused, Fault::DiesBefore, Fault::DiesAfter].map(|f| (one, f)))
    {
        for at in 1.. {
            let bench = asked(strategy);
            bench.fault(Some((at, fault)));
            bench.deploy(&[checked(strategy, 2)]);
            if bench.world.lock().calls.len() < at {
                break;
            }
            let told = format!("{strategy:?}, {fault:?} at {at}");
            bench.later();
            // Where the new one has the traffic, the old image comes as a third.
            let outcomes = bench.deploy(&[desired(&node("web", 2, strategy), 1)]).unwrap();
            assert!(
                !matches!(outcomes.get("web"), Some(Outcome::Failed(_))),
                "{told} {outcomes:?}"
            );
            untouched(&bench, strategy, &told);
            times += 1;
        }
    }
    assert!(times > 100, "{times}");
}

#[test]
fn servers_that_run_are_not_judged_by_a_check_that_they_do_not_answer() {
    let bench = asked(RED_BLACK);
    let error = failed(&bench, &checked(RED_BLACK, 1));
    assert_eq!(error.to_string(), "the servers do not answer there");
    assert_eq!(error.help_text(), Some("generation 1 serves as before"));
    assert_eq!(changes(&bench), ["prepare", "settle", "settle", "record"]);
    let history = bench.memory.lock().histories["web"].clone();
    assert!(history[1].failure.is_some());
    untouched(&bench, RED_BLACK, "refused");
    // A check that they answer moves before them.
    bench.world.lock().unfit.clear();
    bench.deploy(&[checked(RED_BLACK, 1)]).unwrap();
    assert_eq!(bench.world.numbers("web"), (vec![1], vec![]));
    assert_eq!(bench.world.lock().front["web"]["health"], "http 80 /ready");
    unbroken(&bench);
}

#[test]
fn old_servers_do_not_go_step_by_step_where_their_traffic_does_not() {
    let steps = |apart: bool| {
        let bench = asked(ROLLING);
        bench.world.lock().apart = apart;
        bench.deploy(&[checked(ROLLING, 2)]).unwrap();
        assert_eq!(bench.world.numbers("web"), (vec![2], vec![]));
        unbroken(&bench);
        changes(&bench).contains(&"resize 1 to 1".to_owned())
    };
    assert!(steps(false) && !steps(true));
}

#[test]
fn what_a_run_that_died_did_not_settle_the_next_one_does() {
    let wanted = [desired(&node("web", 2, RED_BLACK), 2)];
    let settles = {
        let probe = deployed(RED_BLACK, 2);
        probe.deploy(&wanted).unwrap();
        probe.world.lock().calls.iter().position(|call| call == "settle").unwrap() + 1
    };
    let bench = deployed(RED_BLACK, 2);
    bench.fault(Some((settles, Fault::DiesBefore)));
    bench.deploy(&wanted);
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![1]));
    bench.later();
    bench.fault(None);
    bench.deploy(&wanted).unwrap();
    assert_eq!(changes(&bench).iter().filter(|call| *call == "settle").count(), 1);
    unbroken(&bench);
}
