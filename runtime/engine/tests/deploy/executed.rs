//! What a deploy does, one step after the other.

use crate::bench::{Bench, RED_BLACK, desired, node};
use crate::world::Fault;
use kiln::Strategy;
use kiln_engine::deploy::{Change, Desired, Outcome};
use kiln_engine::driver::Deployer;
use kiln_engine::{DeployPhase, Error, ErrorKind};

pub const ROLLING: Strategy = Strategy::Rolling { step: 1 };

pub fn deployed(strategy: Strategy, replicas: u32) -> Bench {
    let bench = Bench::new();
    let outcome = bench.deploy(&[desired(&node("web", replicas, strategy), 1)]).unwrap();
    assert!(matches!(outcome["web"], Outcome::Deployed { generation: 1 }), "{outcome:?}");
    bench.fault(None);
    bench.world.lock().floor.insert("web".into(), replicas);
    bench
}

/// What was changed, without what was only looked at.
pub fn changes(bench: &Bench) -> Vec<String> {
    let inside = bench.world.lock();
    let looks = ["look", "observe", "lease", "history", "read intent", "template", "remove t"];
    let is_look = |call: &String| looks.iter().any(|look| call.starts_with(look));
    inside.calls.iter().filter(|call| !is_look(call)).cloned().collect()
}

fn failed(bench: &Bench, wanted: &Desired) -> Error {
    let mut outcomes = bench.deploy(std::slice::from_ref(wanted)).unwrap();
    match outcomes.remove("web") {
        Some(Outcome::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

pub fn unbroken(bench: &Bench) {
    let broken = bench.world.lock().broken.clone();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn red_black_makes_all_new_ones_before_the_old_ones_lose_the_traffic() {
    let bench = deployed(RED_BLACK, 2);
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 2)]).unwrap();
    let expected =
        ["intend", "prepare", "launch 2", "attach 2", "detach 1", "settle", "record", "intend"];
    assert_eq!(changes(&bench), expected);
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![1]));
    unbroken(&bench);

    bench.fault(None);
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 3)]).unwrap();
    assert!(changes(&bench).contains(&"remove 1".to_owned()));
    assert_eq!(bench.world.numbers("web"), (vec![3], vec![2]));
}

#[test]
fn rolling_grows_the_new_and_shrinks_the_old() {
    let bench = deployed(ROLLING, 3);
    bench.deploy(&[desired(&node("web", 3, ROLLING), 2)]).unwrap();
    let expected = [
        "intend",
        "prepare",
        "launch 2",
        "attach 2",
        "share",
        "resize 1 to 2",
        "resize 2 to 2",
        "share",
        "resize 1 to 1",
        "resize 2 to 3",
        "share",
        "detach 1",
        "remove 1",
        "settle",
        "record",
        "intend",
    ];
    assert_eq!(changes(&bench), expected);
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![]));
    unbroken(&bench);
}

#[test]
fn rolling_over_ill_servers_goes_on_without_losing_healthy_ones() {
    let bench = deployed(ROLLING, 3);
    // When the first new one has traffic there are four; then one of the old ones falls ill, and none may go.
    bench.world.lock().falls_ill = Some(("look 1".into(), ("web".into(), 1)));
    bench.deploy(&[desired(&node("web", 3, ROLLING), 2)]).unwrap();
    let mut resized = changes(&bench);
    resized.retain(|call| ["resize", "detach", "remove"].iter().any(|one| call.starts_with(one)));
    let expected = ["resize 2 to 2", "resize 1 to 2", "resize 2 to 3", "detach 1", "remove 1"];
    assert_eq!(resized, expected);
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![]));
    unbroken(&bench);
}

#[test]
fn old_ones_that_fall_ill_before_the_switch_do_not_keep_the_new_ones_from_it() {
    let bench = deployed(RED_BLACK, 2);
    bench.world.lock().falls_ill = Some(("attach 2".into(), ("web".into(), 1)));
    bench.world.lock().floor.insert("web".into(), 1);
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 2)]).unwrap();
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![1]));
    unbroken(&bench);
}

#[test]
fn new_ones_keep_the_traffic_that_the_old_ones_cannot_bear_alone() {
    let bench = deployed(RED_BLACK, 2);
    bench.world.lock().floor.clear();
    let wanted = desired(&node("web", 2, RED_BLACK), 2);
    let detach = {
        let probe = deployed(RED_BLACK, 2);
        probe.deploy(std::slice::from_ref(&wanted)).unwrap();
        probe.world.lock().calls.iter().position(|call| call == "detach 1").unwrap()
    };
    // The last look before the switch is refused: it is undone, but the old ones have fallen ill.
    bench.world.lock().falls_ill = Some(("look 1".into(), ("web".into(), 1)));
    bench.fault(Some((detach, Fault::Refused)));
    let error = failed(&bench, &wanted);
    let help = error.help_text().unwrap();
    assert!(help.contains("1 cannot bear the traffic alone, so 2 serves beside it"), "{help}");
    assert_eq!(bench.world.numbers("web"), (vec![1, 2], vec![]));
    assert_eq!(bench.memory.lock().intents["web"].generation, 2);

    // To want the old one back does not give it more servers.
    bench.fault(None);
    let error = failed(&bench, &desired(&node("web", 2, RED_BLACK), 1));
    assert_eq!(error.to_string(), "what serves of `web` cannot bear the traffic alone");
    // What works takes the traffic from both.
    bench.fault(None);
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 3)]).unwrap();
    assert_eq!(bench.world.numbers("web"), (vec![3], vec![1]));
    assert!(bench.memory.lock().intents.is_empty());
}

#[test]
fn a_generation_that_does_not_get_healthy_is_removed_and_the_old_one_untouched() {
    for strategy in [RED_BLACK, ROLLING] {
        let bench = deployed(strategy, 2);
        bench.world.lock().sick.insert("ami-2".into());
        let error = failed(&bench, &desired(&node("web", 2, strategy), 2));
        let text = error.to_string();
        assert!(
            text.starts_with("generation 2 of `web` is not healthy within 20 s: 0 of "),
            "{text}"
        );
        assert!(text.ends_with(": answered 502"), "{text}");
        assert!(error.output_lines().iter().any(|line| line.contains("no such file")));
        assert!(error.help_text().unwrap().ends_with("generation 1 serves as before"));
        assert_eq!(error.origin().unwrap().line, 7);
        assert_eq!(changes(&bench)[2..], ["launch 2", "remove 2", "settle", "record", "intend"]);
        assert_eq!(bench.world.lock().templates.len(), 1);
        let history = bench.memory.lock().histories["web"].clone();
        assert!(history[1].failure.as_ref().unwrap().contains("answered 502"));
        unbroken(&bench);

        // What works takes a number of its own.
        bench.deploy(&[desired(&node("web", 2, strategy), 3)]).unwrap();
        assert_eq!(bench.world.numbers("web").0, [3]);
    }
}

#[test]
fn servers_that_fall_ill_while_they_soak_are_undone() {
    let bench = deployed(RED_BLACK, 2);
    let wanted = desired(&node("web", 2, RED_BLACK), 2);
    let plan = bench.plan(std::slice::from_ref(&wanted));
    let world = bench.world.clone();
    let mut outcomes = bench
        .run(false, async |run| {
            let events = |event| {
                if let kiln_engine::Event::Deploy { phase: DeployPhase::Soaking { .. }, .. } = event
                {
                    let mut inside = world.lock();
                    inside.groups.get_mut(&("web".to_owned(), 2)).unwrap().machines[0].ill = true;
                }
            };
            let run = kiln_engine::deploy::Run { events: &events, ..*run };
            let planned = &plan.deployments[0];
            let work = kiln_engine::deploy::Work { deployer: &world, desired: &wanted, planned };
            run.deploy(&[work]).await
        })
        .unwrap();
    let Some(Outcome::Failed(error)) = outcomes.remove("web") else { panic!("{outcomes:?}") };
    let text = error.to_string();
    assert!(text.contains("did not stay healthy for 2 s: 1 of 2 servers"), "{text}");
    assert_eq!(bench.world.numbers("web"), (vec![1], vec![]));
    unbroken(&bench);
}

#[test]
fn another_number_scales_and_replaces_nothing() {
    let bench = deployed(RED_BLACK, 2);
    let outcome = bench.deploy(&[desired(&node("web", 4, RED_BLACK), 1)]).unwrap();
    assert!(matches!(outcome["web"], Outcome::Adjusted { generation: 1 }));
    assert_eq!(changes(&bench), ["resize 1 to 4", "record"]);
    // From now on less is drift.
    bench.world.lock().groups.values_mut().next().unwrap().capacity.desired = 3;
    let plan = bench.plan(&[desired(&node("web", 4, RED_BLACK), 1)]);
    assert!(plan.deployments[0].reasons[0].is_drift());
}

#[test]
fn drift_is_mended() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(RED_BLACK, 2);
    bench.world.lock().floor.clear();
    {
        let mut inside = bench.world.lock();
        inside.front.clear();
        let group = inside.groups.get_mut(&("web".to_owned(), 1)).unwrap();
        (group.capacity.desired, group.attached) = (1, false);
        group.running.clear();
    }
    bench.deploy(std::slice::from_ref(&wanted)).unwrap();
    let expected = ["prepare", "settle", "record", "resize 1 to 2", "attach 1", "record"];
    assert_eq!(changes(&bench), expected);
    assert_eq!(bench.plan(&[wanted]).deployments[0].change, Change::Nothing);
}

#[test]
fn one_that_has_lost_its_traffic_gets_it_back_before_it_is_replaced() {
    let bench = deployed(RED_BLACK, 2);
    bench.world.lock().floor.clear();
    bench.world.lock().groups.values_mut().next().unwrap().attached = false;
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 2)]).unwrap();
    assert_eq!(changes(&bench)[..5], ["intend", "prepare", "attach 1", "prepare", "launch 2"]);
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![1]));
}

#[test]
fn the_second_of_two_at_once_is_told_who_was_first() {
    let bench = deployed(RED_BLACK, 1);
    let wanted = desired(&node("web", 1, RED_BLACK), 2);
    bench.fault(Some((8, Fault::DiesAfter)));
    assert!(bench.deploy(std::slice::from_ref(&wanted)).is_none());
    bench.fault(None);
    let error = failed(&bench, &wanted);
    assert_eq!(error.to_string(), "ann@host is changing `web`: `deploy`");
    assert!(changes(&bench).is_empty());
}

#[test]
fn a_world_that_has_moved_is_not_changed() {
    let bench = deployed(RED_BLACK, 1);
    let scaled = [desired(&node("web", 2, RED_BLACK), 1)];
    let plan = bench.plan(&scaled);
    // Somebody deploys something else meanwhile: it would take a new generation now.
    bench.deploy(&[desired(&node("web", 1, RED_BLACK), 2)]).unwrap();
    bench.fault(None);
    let outcome = bench.execute(&plan, &scaled, false).unwrap();
    let Outcome::Failed(error) = &outcome["web"] else { panic!("{outcome:?}") };
    assert_eq!(error.to_string(), "what runs of `web` has changed since the plan");

    let exact = [desired(&node("web", 1, RED_BLACK), 3)];
    let plan = bench.plan(&exact);
    bench.world.lock().front.clear();
    let outcome = bench.execute(&plan, &exact, true).unwrap();
    assert!(matches!(outcome["web"], Outcome::Failed(_)));
    assert!(changes(&bench).is_empty());
}

#[test]
fn three_of_ten_roll_side_by_side_and_seven_are_not_touched() {
    let bench = Bench::new();
    let names: Vec<String> = (0..10).map(|n| format!("web-{n}")).collect();
    let all = |version: fn(usize) -> u32| -> Vec<Desired> {
        let one = |(n, name): (usize, &String)| desired(&node(name, 1, RED_BLACK), version(n));
        names.iter().enumerate().map(one).collect()
    };
    assert_eq!(bench.deploy(&all(|_| 1)).unwrap().len(), 10);
    bench.fault(None);
    let outcomes = bench.deploy(&all(|n| if n < 3 { 2 } else { 1 })).unwrap();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.values().all(|ended| matches!(ended, Outcome::Deployed { generation: 2 })));
    let calls = bench.world.lock().calls.clone();
    let first = |what: &str| calls.iter().position(|call| call == what).unwrap();
    let last = |what: &str| calls.iter().rposition(|call| call == what).unwrap();
    assert!(last("launch 2") < first("detach 1"), "one after the other: {calls:#?}");
    // Plan, and those that asked at once.
    assert!(bench.world.calls("observe") <= 7, "{}", bench.world.calls("observe"));
}

#[test]
fn to_stop_undoes_what_has_not_switched_and_ends_what_has() {
    for strategy in [RED_BLACK, ROLLING] {
        let mut stopped = 0;
        for at in 1.. {
            let bench = deployed(strategy, 2);
            bench.fault(Some((at, Fault::Interrupted)));
            let wanted = [desired(&node("web", 2, strategy), 2)];
            let outcome = bench.deploy(&wanted).unwrap();
            if bench.world.lock().calls.len() < at {
                break;
            }
            let serves = bench.world.numbers("web").0;
            match &outcome["web"] {
                Outcome::Failed(error) => {
                    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error} at {at}");
                    assert_eq!(serves, [1], "at {at}");
                    assert_eq!(bench.world.lock().templates.len(), 1, "at {at}");
                    stopped += 1;
                }
                _ => assert_eq!(serves, [2], "at {at}"),
            }
            assert!(bench.memory.lock().intents.is_empty(), "at {at}");
            unbroken(&bench);
        }
        assert!(stopped > 10, "{stopped}");
    }
}

#[test]
fn a_run_and_its_future_go_to_other_threads() {
    fn is_send<T: Send>(_: T) {}
    let bench = Bench::new();
    bench.run(false, async |run| {
        is_send(run.deploy(&[]));
        is_send(run.rollback(&bench.world as &dyn Deployer, "web", None));
        is_send(run.destroy(&bench.world as &dyn Deployer, "web"));
    });
}
