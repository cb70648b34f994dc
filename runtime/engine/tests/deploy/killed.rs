//! Processes that die, are refused or lose their lease at every single call: the next one brings the declared state,
//! nothing is left over, and there is always enough that serves.

use crate::bench::{Bench, desired, node};
use crate::world::Fault;
use kiln::Strategy;
use kiln_engine::deploy::{Change, Desired, Outcome};

const STRATEGIES: [Strategy; 5] = [
    Strategy::RedBlack { keep_previous: 0 },
    Strategy::RedBlack { keep_previous: 1 },
    Strategy::RedBlack { keep_previous: 2 },
    Strategy::Rolling { step: 1 },
    Strategy::Rolling { step: 2 },
];

/// What the process does to which the fault happens.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    Creates,
    Deploys,
    DeploysMore,
    DeploysWhatIsSick,
    RollsBack,
}

/// What the next one wants.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    TheSame,
    Another,
    WhatWasThere,
    RollsBack,
}

const FIRST: [First; 5] = [
    First::Creates,
    First::Deploys,
    First::DeploysMore,
    First::DeploysWhatIsSick,
    First::RollsBack,
];

const NEXT: [Next; 4] = [Next::TheSame, Next::Another, Next::WhatWasThere, Next::RollsBack];

fn begun(first: First, strategy: Strategy) -> Bench {
    let bench = Bench::new();
    if first == First::Creates {
        return bench;
    }
    for version in [1, 2] {
        bench.deploy(&[desired(&node("web", 3, strategy), version)]).unwrap();
    }
    bench.world.lock().floor.insert("web".into(), 3);
    if first == First::DeploysWhatIsSick {
        bench.world.lock().sick.insert("ami-3".into());
    }
    bench
}

fn wanted(first: First, strategy: Strategy) -> Desired {
    match first {
        First::DeploysMore => desired(&node("web", 5, strategy), 3),
        _ => desired(&node("web", 3, strategy), 3),
    }
}

/// Whether it lived to the end.
fn go(bench: &Bench, first: First, strategy: Strategy) -> bool {
    match first {
        First::RollsBack => bench.rollback("web", Some(1)).is_some(),
        _ => bench.deploy(&[wanted(first, strategy)]).is_some(),
    }
}

fn goes_on(bench: &Bench, first: First, next: Next, strategy: Strategy, told: &str) {
    let declared = match next {
        Next::TheSame | Next::RollsBack => wanted(first, strategy),
        Next::Another => desired(&node("web", 3, strategy), 4),
        Next::WhatWasThere => desired(&node("web", 3, strategy), 2),
    };
    if next == Next::RollsBack {
        // Nothing has served before the first one; and what the dead one did may be what is asked for.
        if let Some(Outcome::Deployed { .. }) = bench.rollback("web", None) {
            whole(bench, strategy, told);
        }
    }
    let all = [declared];
    let mut ended = bench.deploy(&all).unwrap();
    let sick = first == First::DeploysWhatIsSick && matches!(next, Next::TheSame | Next::RollsBack);
    if sick {
        bench.world.lock().sick.clear();
        ended = bench.deploy(&all).unwrap();
    }
    if let Some(Outcome::Failed(error)) = ended.get("web") {
        panic!("{}: {told}", error.chain());
    }
    whole(bench, strategy, told);
    let (serves, _) = bench.world.numbers("web");
    let inside = bench.world.lock();
    let group = &inside.groups[&("web".to_owned(), serves[0])];
    assert_eq!(group.image, all[0].image.artifact().unwrap(), "{told}");
    assert_eq!(group.capacity.desired, all[0].node.replicas.desired, "{told}");
    drop(inside);
    let plan = bench.plan(&all);
    assert_eq!(plan.deployments[0].change, Change::Nothing, "{told}: {plan:?}");
    let history = bench.memory.lock().histories["web"].clone();
    let last = history.iter().rfind(|entry| entry.failure.is_none()).unwrap();
    assert_eq!(last.generation, serves[0], "{told}");
    for pair in history.windows(2) {
        let twice = pair[0].generation == pair[1].generation && pair[0].action == pair[1].action;
        let both = pair.iter().all(|entry| entry.failure.is_none());
        assert!(!(twice && both), "{told}: written twice: {pair:?}");
    }
}

/// One generation has the traffic, as many as are kept have none, and there was never too little that served.
fn whole(bench: &Bench, strategy: Strategy, told: &str) {
    let (serves, idle) = bench.world.numbers("web");
    let kept = match strategy {
        Strategy::RedBlack { keep_previous } => keep_previous as usize,
        Strategy::Rolling { .. } => 0,
    };
    let inside = bench.world.lock();
    assert!(inside.broken.is_empty(), "{told}: {}", inside.broken[0]);
    assert!(serves.len() <= 1 && idle.len() <= kept, "{told}: {serves:?} {idle:?}");
    assert_eq!(inside.templates.len(), serves.len() + idle.len(), "{told}");
    let history = bench.memory.lock().histories.get("web").cloned().unwrap_or_default();
    for number in idle {
        let of = |entry: &kiln_engine::driver::HistoryEntry| {
            entry.generation == number && entry.failure.is_none()
        };
        assert!(history.iter().any(of), "{told}: {number} has never served");
    }
    assert!(bench.memory.lock().intents.is_empty(), "{told}");
}

/// Lets a fault happen at each call of each deploy, and another process go on. Returns how often.
fn everywhere(fault: Fault, then: impl Fn(&Bench, First, Next, Strategy, &str)) -> usize {
    let mut times = 0;
    for (strategy, first) in STRATEGIES.iter().flat_map(|s| FIRST.map(|first| (*s, first))) {
        for next in NEXT {
            for at in 1.. {
                let bench = begun(first, strategy);
                bench.fault(Some((at, fault)));
                let lived = go(&bench, first, strategy);
                if bench.world.lock().calls.len() < at {
                    break;
                }
                let is_death = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
                assert_eq!(lived, !is_death);
                let call = bench.world.lock().calls[at - 1].clone();
                let told = format!("{strategy:?} {first:?}, {fault:?} at {at} `{call}`, {next:?}");
                then(&bench, first, next, strategy, &told);
                times += 1;
            }
        }
    }
    times
}

#[test]
fn killed_before_any_call_the_next_one_brings_the_declared_state() {
    let times = everywhere(Fault::DiesBefore, |bench, first, next, strategy, told| {
        bench.later();
        goes_on(bench, first, next, strategy, told);
    });
    assert!(times > 2_000, "{times}");
}

#[test]
fn killed_after_any_call_the_next_one_brings_the_declared_state() {
    let times = everywhere(Fault::DiesAfter, |bench, first, next, strategy, told| {
        bench.later();
        goes_on(bench, first, next, strategy, told);
    });
    assert!(times > 2_000, "{times}");
}

#[test]
fn refused_at_any_call_the_next_one_brings_the_declared_state() {
    let times = everywhere(Fault::Refused, |bench, first, next, strategy, told| {
        bench.later();
        goes_on(bench, first, next, strategy, told);
    });
    assert!(times > 2_000, "{times}");
}

#[test]
fn whoever_has_lost_the_lease_changes_nothing_more() {
    let changes = [
        "template", "launch", "resize", "attach", "detach", "remove", "prepare", "share", "settle",
    ];
    let times = everywhere(Fault::LeaseIsTaken, |bench, first, next, strategy, told| {
        {
            let mut inside = bench.world.lock();
            let (at, _) = inside.fault.unwrap();
            let after = inside.calls[at..].to_vec();
            // A call of the engine may be two of the world's: what is under way ends.
            let is_change = |call: &&String| changes.iter().any(|change| call.starts_with(change));
            let later = after.iter().skip(1).filter(is_change).collect::<Vec<_>>();
            assert!(later.is_empty(), "{told}: {later:?}");
            inside.lease_was_taken = false;
        }
        bench.later();
        goes_on(bench, first, next, strategy, told);
    });
    assert!(times > 2_000, "{times}");
}

#[test]
fn killed_twice_the_third_one_brings_the_declared_state() {
    let mut times = 0;
    let strategies = [STRATEGIES[1], STRATEGIES[3]];
    for (strategy, next) in strategies.iter().flat_map(|s| NEXT.map(|next| (*s, next))) {
        for at in 1.. {
            let mut died = true;
            for again in 1.. {
                let bench = begun(First::Deploys, strategy);
                bench.fault(Some((at, Fault::DiesAfter)));
                if go(&bench, First::Deploys, strategy) {
                    died = false;
                    break;
                }
                bench.later();
                bench.fault(Some((again, Fault::DiesAfter)));
                let second = match next {
                    Next::TheSame => 3,
                    Next::WhatWasThere => 2,
                    _ => 5,
                };
                let lived = match next {
                    Next::RollsBack => bench.rollback("web", None).is_some(),
                    _ => bench.deploy(&[desired(&node("web", 3, strategy), second)]).is_some(),
                };
                if lived {
                    break;
                }
                bench.later();
                let told = format!("{strategy:?} killed at {at}, then {next:?} killed at {again}");
                goes_on(&bench, First::Deploys, Next::Another, strategy, &told);
                times += 1;
            }
            if !died {
                break;
            }
        }
    }
    assert!(times > 5_000, "{times}");
}
