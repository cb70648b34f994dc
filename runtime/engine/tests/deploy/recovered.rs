//! What the next run makes of what one that is dead has left: as many servers as there were, as much time for open
//! requests, and a way on where there is none back.

use crate::bench::{Bench, RED_BLACK, desired, node};
use crate::world::Fault;
use kiln::{DeploymentNode, Strategy};
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
        let probe = deployed(&node);
        probe.deploy(&[desired(&node, 2)]).unwrap();
        let detach = probe.world.lock().calls.iter().position(|call| call == "detach 1").unwrap();
        let bench = deployed(&node);
        bench.fault(Some((detach + 1, Fault::DiesAfter)));
        assert!(bench.deploy(&[desired(&node, 2)]).is_none());
        bench.later();
        bench.deploy(&[desired(&node, next)]).unwrap();
        let calls = bench.world.lock().calls.clone();
        let at = |what: &str| calls.iter().position(|call| call == what);
        let (drained, removed) = (at("detach 1"), at("remove 1"));
        assert!(drained.is_some() && drained < removed, "{strategy:?} {next}: {calls:?}");
    }
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
