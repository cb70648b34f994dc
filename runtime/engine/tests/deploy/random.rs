//! Whatever is done in whatever order, by hand too, and dies wherever it may: there is a server with traffic as long as
//! there was one, and in the end the world is as declared.

use crate::bench::{Bench, desired, node};
use crate::world::Fault;
use kiln_engine::deploy::{Change, Desired, Outcome};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Deploy { version: u32, replicas: u32, strategy: usize },
    Rollback { to: Option<u32> },
    ByHand(Hand),
}

/// What somebody does by other means.
#[derive(Debug, Clone, Copy)]
enum Hand {
    Detaches,
    AttachesAll,
    Resizes(u32),
    RemovesAnIdleOne,
    Retags,
    ChangesTheFront,
    ForgetsTheHistory,
}

const STRATEGIES: [kiln::Strategy; 4] = [
    kiln::Strategy::RedBlack { keep_previous: 0 },
    kiln::Strategy::RedBlack { keep_previous: 1 },
    kiln::Strategy::Rolling { step: 1 },
    kiln::Strategy::Rolling { step: 3 },
];

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        Just(Hand::Detaches),
        Just(Hand::AttachesAll),
        (1u32..5).prop_map(Hand::Resizes),
        Just(Hand::RemovesAnIdleOne),
        Just(Hand::Retags),
        Just(Hand::ChangesTheFront),
        Just(Hand::ForgetsTheHistory),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let deploy = (1u32..5, 1u32..5, 0usize..4)
        .prop_map(|(version, replicas, strategy)| Step::Deploy { version, replicas, strategy });
    let to = prop_oneof![Just(None), (1u32..6).prop_map(Some)];
    prop_oneof![
        5 => deploy,
        2 => to.prop_map(|to| Step::Rollback { to }),
        2 => hand().prop_map(Step::ByHand),
    ]
}

fn fault() -> impl Strategy<Value = Option<(usize, Fault)>> {
    let kinds = prop_oneof![
        Just(Fault::DiesBefore),
        Just(Fault::DiesAfter),
        Just(Fault::Refused),
        Just(Fault::Interrupted),
    ];
    let at = (1usize..60, kinds);
    prop_oneof![2 => at.prop_map(Some), 1 => Just(None)]
}

fn by_hand(bench: &Bench, hand: Hand) {
    let mut inside = bench.world.lock();
    let front = inside.front.get("web").cloned().unwrap_or_default();
    let groups = inside.groups.values_mut();
    match hand {
        Hand::Detaches => groups.for_each(|group| group.attached = false),
        Hand::AttachesAll => groups.filter(|group| !group.attached).for_each(|group| {
            (group.attached, group.behind) = (true, front.clone());
        }),
        Hand::Resizes(to) => groups.for_each(|group| {
            group.capacity.desired = to;
            group.machines.truncate(to as usize);
        }),
        Hand::RemovesAnIdleOne => {
            let idle = inside.groups.iter().find(|(_, group)| !group.attached);
            if let Some(key) = idle.map(|(key, _)| key.clone()) {
                inside.groups.remove(&key);
                inside.templates.remove(&key);
            }
        }
        Hand::Retags => groups.for_each(|group| {
            group.running.insert("tag team".into(), "ops".into());
        }),
        Hand::ChangesTheFront => inside.front.clear(),
        Hand::ForgetsTheHistory => {
            bench.memory.lock().histories.clear();
        }
    }
}

fn wanted(version: u32, replicas: u32, strategy: usize) -> Desired {
    desired(&node("web", replicas, STRATEGIES[strategy]), version)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn there_is_always_a_server_and_in_the_end_what_is_declared(
        steps in prop::collection::vec((step(), fault()), 1..9),
        last in (1u32..5, 1u32..5, 0usize..4),
    ) {
        let bench = Bench::new();
        for (step, fault) in steps {
            (0..5).for_each(|_| bench.world.tick());
            let serves = bench.world.serving("web");
            bench.world.lock().floor.insert("web".into(), serves.min(1));
            bench.fault(fault);
            match step {
                Step::Deploy { version, replicas, strategy } => {
                    bench.deploy(&[wanted(version, replicas, strategy)]);
                }
                Step::Rollback { to } => drop(bench.rollback("web", to)),
                Step::ByHand(hand) => by_hand(&bench, hand),
            }
            prop_assert!(bench.world.lock().broken.is_empty(), "{}", bench.world.lock().broken[0]);
            bench.later();
        }
        let serves = bench.world.serving("web");
        bench.world.lock().floor.insert("web".into(), serves.min(1));
        let (version, replicas, strategy) = last;
        let all = [wanted(version, replicas, strategy)];
        let ended = bench.deploy(&all).unwrap();
        let failed = matches!(ended.get("web"), Some(Outcome::Failed(_)));
        prop_assert!(!failed, "{ended:?}");
        // What was only ended the first time may leave what is mended the second.
        bench.deploy(&all).unwrap();
        prop_assert!(bench.world.lock().broken.is_empty(), "{}", bench.world.lock().broken[0]);
        let plan = bench.plan(&all);
        prop_assert_eq!(&plan.deployments[0].change, &Change::Nothing, "{:?}", plan);
        let (serves, idle) = bench.world.numbers("web");
        prop_assert_eq!(serves.len(), 1);
        let inside = bench.world.lock();
        let group = &inside.groups[&("web".to_owned(), serves[0])];
        prop_assert_eq!(&group.image, all[0].image.artifact().unwrap());
        prop_assert_eq!(group.machines.len(), replicas as usize);
        let left = inside.templates.iter().find(|key| !inside.groups.contains_key(*key));
        prop_assert_eq!(left, None);
        prop_assert!(idle.len() <= 1);
        prop_assert!(bench.memory.lock().intents.is_empty());
    }
}
