//! What the next run makes of what one that is dead has left: as many servers as there were, as much time for open
//! requests, and a way on where there is none back.

use crate::bench::{Bench, RED_BLACK, desired, node};
use crate::world::Fault;
use kiln::{DeploymentNode, Replicas, Strategy};
use kiln_engine::deploy::{Change, Outcome};

const ROLLING: Strategy = Strategy::Rolling { step: 1 };

fn deployed(node: &DeploymentNode) -> Bench {
    let bench = Bench::new();
    bench.deploy(&[desired(node, 1)]).unwrap();
    bench.fault(None);
    bench
}

/// Of two servers something has made six.
fn autoscaled() -> (Bench, DeploymentNode) {
    let mut node = node("web", 2, Strategy::Rolling { step: 2 });
    node.replicas.max = 10;
    let bench = deployed(&node);
    bench.world.lock().groups.get_mut(&("web".to_owned(), 1)).unwrap().capacity.desired = 6;
    (0..4).for_each(|_| bench.world.tick());
    (bench, node)
}

#[test]
fn killed_at_any_call_a_roll_ends_with_as_many_servers_as_there_were() {
    for next in [1, 2, 3] {
        for at in 1.. {
            let (bench, node) = autoscaled();
            bench.fault(Some((at, Fault::DiesAfter)));
            if bench.deploy(&[desired(&node, 2)]).is_some() {
                assert!(at > 10, "{at}");
                break;
            }
            bench.later();
            let all = [desired(&node, next)];
            bench.deploy(&all).unwrap();
            (0..4).for_each(|_| bench.world.tick());
            let told = format!("killed at {at}, then {next}");
            let (serves, _) = bench.world.numbers("web");
            let group = bench.world.lock().groups[&("web".to_owned(), serves[0])].clone();
            assert_eq!(serves.len(), 1, "{told}");
            assert_eq!(group.capacity.desired, 6, "{told}");
            assert_eq!((group.capacity.min, group.capacity.max), (2, 10), "{told}");
            assert_eq!(bench.plan(&all).deployments[0].change, Change::Nothing, "{told}");
        }
    }
}

#[test]
fn where_the_old_ones_cannot_be_started_again_both_serve_and_what_works_takes_over() {
    let node = node("web", 3, ROLLING);
    let bench = deployed(&node);
    // One of the old ones has gone for a new one when the second new one falls ill, and it cannot come back.
    bench.world.lock().stuck.insert("ami-1".into());
    bench.world.lock().floor.insert("web".into(), 2);
    bench.world.lock().falls_ill = Some(("resize 2 to 2".into(), ("web".into(), 2)));
    let outcomes = bench.deploy(&[desired(&node, 2)]).unwrap();
    let Outcome::Failed(_) = &outcomes["web"] else { panic!("{outcomes:?}") };
    bench.later();
    bench.deploy(&[desired(&node, 3)]).unwrap();
    let (serves, idle) = bench.world.numbers("web");
    assert_eq!((serves.len(), idle.len()), (1, 0));
    let group = bench.world.lock().groups[&("web".to_owned(), serves[0])].clone();
    assert_eq!(group.image, "ami-3");
    assert!(bench.memory.lock().intents.is_empty());
    assert!(bench.world.lock().broken.is_empty(), "{:?}", bench.world.lock().broken);
}

#[test]
fn open_requests_have_their_time_also_where_who_began_to_wait_is_dead() {
    for (strategy, next) in
        [(ROLLING, 2), (ROLLING, 3), (Strategy::RedBlack { keep_previous: 0 }, 2)]
    {
        let node = node("web", 2, strategy);
        let bench = switched(&node);
        bench.deploy(&[desired(&node, next)]).unwrap();
        let calls = bench.world.lock().calls.clone();
        let at = |what: &str| calls.iter().position(|call| call == what);
        let (drained, removed) = (at("detach 1"), at("remove 1"));
        assert!(drained.is_some() && drained < removed, "{strategy:?} {next}: {calls:?}");
    }
}

/// A roll that is killed when the old generation has lost its traffic.
fn switched(node: &DeploymentNode) -> Bench {
    let probe = deployed(node);
    probe.deploy(&[desired(node, 2)]).unwrap();
    let detach = probe.world.lock().calls.iter().position(|call| call == "detach 1").unwrap();
    let bench = deployed(node);
    bench.fault(Some((detach + 1, Fault::DiesAfter)));
    assert!(bench.deploy(&[desired(node, 2)]).is_none());
    bench.later();
    bench
}

#[test]
fn the_only_one_that_serves_is_never_taken_away_because_it_is_ill() {
    let node = node("web", 2, RED_BLACK);
    let ill = |bench: &Bench, number| {
        bench.world.lock().stuck.insert("ami-1".into());
        bench.world.lock().floor.clear();
        let mut inside = bench.world.lock();
        let group = inside.groups.get_mut(&("web".to_owned(), number)).unwrap();
        group.machines.iter_mut().for_each(|machine| machine.ill = true);
    };
    let still_serves = |bench: &Bench, number: u32, outcome: Option<Outcome>| {
        let Some(Outcome::Failed(error)) = outcome else { panic!("{outcome:?}") };
        let help = error.help_text().unwrap_or_default();
        assert!(help.contains(&format!("generation {number} ")), "{help}");
        assert_eq!(bench.world.numbers("web").0, [number]);
    };
    let bench = switched(&node);
    ill(&bench, 2);
    let outcome = bench.deploy(&[desired(&node, 2)]).unwrap().remove("web");
    still_serves(&bench, 2, outcome);

    let bench = deployed(&node);
    bench.deploy(&[desired(&node, 2)]).unwrap();
    let calls = bench.world.lock().calls.len();
    bench.fault(None);
    let probe = deployed(&node);
    probe.deploy(&[desired(&node, 2)]).unwrap();
    probe.fault(None);
    probe.rollback("web", None).unwrap();
    let detach = probe.world.lock().calls.iter().position(|call| call == "detach 2").unwrap();
    assert!(detach < calls);
    bench.fault(Some((detach + 1, Fault::DiesAfter)));
    assert!(bench.rollback("web", None).is_none());
    bench.later();
    ill(&bench, 1);
    let outcome = bench.rollback("web", Some(1));
    still_serves(&bench, 1, outcome);
}

#[test]
fn who_was_asked_for_and_never_came_is_not_waited_for_when_fewer_are_wanted() {
    let mut node = node("web", 2, RED_BLACK);
    let bench = deployed(&node);
    bench.world.lock().stuck.insert("ami-1".into());
    let of = |servers: u32| Replicas { min: servers, desired: servers, max: servers };
    node.replicas = of(9);
    let outcome = bench.deploy(&[desired(&node, 1)]).unwrap().remove("web");
    assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
    node.replicas = of(2);
    let outcome = bench.deploy(&[desired(&node, 1)]).unwrap().remove("web");
    assert!(matches!(outcome, Some(Outcome::Adjusted { .. })), "{outcome:?}");
    assert_eq!(bench.plan(&[desired(&node, 1)]).deployments[0].change, Change::Nothing);
}

#[test]
fn a_rollback_to_what_is_gone_goes_on_where_it_was_killed() {
    let node = node("web", 2, ROLLING);
    let rolled = || {
        let bench = deployed(&node);
        bench.deploy(&[desired(&node, 2)]).unwrap();
        bench.fault(None);
        bench
    };
    for at in 4.. {
        let bench = rolled();
        bench.fault(Some((at, Fault::DiesAfter)));
        if bench.rollback("web", None).is_some() {
            assert!(at > 10, "{at}");
            break;
        }
        bench.later();
        let is_begun = !bench.memory.lock().intents.is_empty();
        let outcome = bench.rollback("web", None);
        if is_begun {
            assert!(
                matches!(outcome, Some(Outcome::Deployed { generation: 3 })),
                "killed at {at}: {outcome:?}"
            );
            let group = bench.world.lock().groups[&("web".to_owned(), 3)].clone();
            assert_eq!(group.image, "ami-1", "killed at {at}");
        }
    }
}

#[test]
fn old_servers_keep_their_tags_while_they_are_rolled() {
    let mut node = node("web", 3, ROLLING);
    node.tags.insert("version".into(), "1".into());
    let bench = deployed(&node);
    let before = bench.world.lock().groups[&("web".to_owned(), 1)].running.clone();
    node.tags.insert("version".into(), "2".into());
    bench.world.lock().falls_ill = Some(("resize 2 to 2".into(), ("web".into(), 2)));
    let outcome = bench.deploy(&[desired(&node, 2)]).unwrap().remove("web");
    assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
    assert_eq!(bench.world.lock().groups[&("web".to_owned(), 1)].running, before);
}

#[test]
fn what_stands_before_a_generation_that_had_lost_its_traffic_is_as_declared_after_a_roll() {
    let mut node = node("web", 2, RED_BLACK);
    let bench = deployed(&node);
    bench.world.lock().groups.get_mut(&("web".to_owned(), 1)).unwrap().attached = false;
    node.ports.push(443);
    let all = [desired(&node, 2)];
    bench.deploy(&all).unwrap();
    assert_eq!(bench.plan(&all).deployments[0].change, Change::Nothing);
    assert!(bench.world.lock().beside.is_empty());
}

#[test]
fn a_destroy_that_is_refused_says_what_was() {
    let bench = deployed(&node("web", 2, RED_BLACK));
    let destroy = || bench.run(false, async |run| run.destroy(&bench.world, "web").await).unwrap();
    bench.events.lock().unwrap().clear();
    let at = 3;
    bench.fault(Some((at, Fault::Refused)));
    let errors = destroy().unwrap_err();
    let call = bench.world.lock().calls[at - 1].clone();
    assert_eq!((errors.len(), call.as_str()), (1, "destroy"));
    let told = bench
        .events
        .lock()
        .unwrap()
        .iter()
        .any(|event| serde_json::to_string(event).unwrap().contains(r#""message":"refused""#));
    assert!(told, "{:?}", bench.events.lock().unwrap());
    bench.fault(None);
    assert!(destroy().is_ok());
}
