//! What a rollback and a destroy do.

use crate::bench::{RED_BLACK, desired, node};
use crate::executed::{ROLLING, changes, deployed, unbroken};
use kiln::Strategy;
use kiln_engine::deploy::{Change, Outcome};

#[test]
fn a_rollback_gives_the_traffic_to_a_kept_generation_at_once() {
    let bench = deployed(RED_BLACK, 2);
    bench.deploy(&[desired(&node("web", 2, RED_BLACK), 2)]).unwrap();
    bench.fault(None);
    let outcome = bench.rollback("web", None).unwrap();
    assert!(matches!(outcome, Outcome::Deployed { generation: 1 }), "{outcome:?}");
    let expected = ["intend", "prepare", "attach 1", "detach 2", "settle", "record", "intend"];
    assert_eq!(changes(&bench), expected);
    assert_eq!(bench.world.numbers("web"), (vec![1], vec![2]));
    // And back again: what served before.
    assert!(matches!(bench.rollback("web", None), Some(Outcome::Deployed { generation: 2 })));
    unbroken(&bench);
}

#[test]
fn a_rollback_to_what_is_gone_makes_it_again_from_the_history() {
    let bench = deployed(ROLLING, 2);
    bench.deploy(&[desired(&node("web", 2, ROLLING), 2)]).unwrap();
    let outcome = bench.rollback("web", Some(1)).unwrap();
    assert!(matches!(outcome, Outcome::Deployed { generation: 3 }), "{outcome:?}");
    assert_eq!(bench.world.lock().groups[&("web".to_owned(), 3)].image, "ami-1");
    unbroken(&bench);
}

#[test]
fn a_rollback_keeps_as_many_servers_as_the_traffic_has() {
    let bench = deployed(RED_BLACK, 2);
    bench.deploy(&[desired(&node("web", 4, RED_BLACK), 2)]).unwrap();
    bench.world.lock().floor.insert("web".into(), 4);
    bench.rollback("web", Some(1)).unwrap();
    assert_eq!(bench.world.lock().groups[&("web".to_owned(), 1)].machines.len(), 4);
    unbroken(&bench);
}

#[test]
fn a_rollback_to_nowhere_says_where_one_can_go() {
    let bench = deployed(RED_BLACK, 1);
    let refused = |to| match bench.rollback("web", to) {
        Some(Outcome::Failed(error)) => (error.to_string(), error.help_text().unwrap().to_owned()),
        other => panic!("{other:?}"),
    };
    assert!(refused(None).0.contains("no earlier generation"));
    assert!(refused(Some(1)).0.contains("generation 1 of `web` serves"));
    bench.deploy(&[desired(&node("web", 1, RED_BLACK), 2)]).unwrap();
    let (text, help) = refused(Some(9));
    assert!(text.contains("no generation 9") && help == "there are: 1", "{text} {help}");
}

#[test]
fn what_served_last_is_what_is_kept() {
    let keep = Strategy::RedBlack { keep_previous: 2 };
    let bench = deployed(keep, 1);
    for version in [2, 3] {
        bench.deploy(&[desired(&node("web", 1, keep), version)]).unwrap();
    }
    bench.rollback("web", Some(1)).unwrap();
    bench.deploy(&[desired(&node("web", 1, keep), 4)]).unwrap();
    // The first was rolled back to: it served after the second.
    assert_eq!(bench.world.numbers("web"), (vec![4], vec![1, 3]));
}

#[test]
fn destroyed_is_gone_and_its_numbers_are_not_given_again() {
    let bench = deployed(RED_BLACK, 1);
    bench.world.lock().floor.clear();
    bench.run(false, async |run| run.destroy(&bench.world, "web").await).unwrap().unwrap();
    assert!(bench.world.lock().groups.is_empty() && bench.world.lock().front.is_empty());
    let wanted = [desired(&node("web", 1, RED_BLACK), 1)];
    assert_eq!(bench.plan(&wanted).deployments[0].change, Change::Create { to: 2 });
    assert!(matches!(bench.rollback("web", None), Some(Outcome::Deployed { generation: 2 })));
}

#[test]
fn a_rollback_to_what_cannot_be_made_again_says_where_one_can_go_at_once() {
    let bench = deployed(RED_BLACK, 2);
    for version in [2, 3] {
        bench.deploy(&[desired(&node("web", 2, RED_BLACK), version)]).unwrap();
    }
    // Its image is gone, so it is never healthy.
    bench.world.lock().sick.insert("ami-1".into());
    let Some(Outcome::Failed(error)) = bench.rollback("web", Some(1)) else { panic!() };
    let help = error.help_text().unwrap();
    assert!(help.contains("generation 3 serves as before"), "{help}");
    assert!(help.ends_with("generation 2 is kept: `--to` can go there at once"), "{help}");
    unbroken(&bench);
}
