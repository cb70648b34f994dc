//! What a plan says.

use crate::bench::{Bench, RED_BLACK, desired, node};
use kiln::{Strategy, TargetNode};
use kiln_engine::deploy::{ArtifactState, Change, Counts, Desired, Outcome, Plan};

fn deployed(wanted: &Desired) -> Bench {
    let bench = Bench::new();
    bench.deploy(std::slice::from_ref(wanted)).unwrap();
    bench
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.deployments[0].reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn what_has_never_run_is_created() {
    let plan = Bench::new().plan(&[desired(&node("web", 2, RED_BLACK), 1)]);
    assert_eq!(plan.deployments[0].change, Change::Create { to: 1 });
    assert_eq!(plan.counts(), Counts { create: 1, roll: 0, change: 0 });
    assert_eq!(lines(&plan), ["new"]);
}

#[test]
fn nothing_changed_is_nothing_to_do() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let plan = deployed(&wanted).plan(&[wanted]);
    assert_eq!(plan.deployments[0].change, Change::Nothing);
    assert_eq!(lines(&plan), [""; 0]);
}

#[test]
fn another_image_rolls_and_says_which_layer() {
    let node = node("web", 2, RED_BLACK);
    let bench = deployed(&desired(&node, 1));
    let plan = bench.plan(&[desired(&node, 2)]);
    assert_eq!(plan.deployments[0].change, Change::Roll { from: vec![1], to: 2 });
    assert_eq!(lines(&plan), ["image: web changed: layer `site` changed"]);

    let mut unbaked = desired(&node, 2);
    let why = "layer `site`: `site/index.html` changed".to_owned();
    unbaked.image.artifact = ArtifactState::AfterBake { why };
    let plan = bench.plan(&[unbaked]);
    assert_eq!(plan.deployments[0].change, Change::Roll { from: vec![1], to: 2 });
    assert_eq!(lines(&plan), ["image: web changed: layer `site`: `site/index.html` changed"]);
}

#[test]
fn what_was_baked_for_a_deploy_is_deployed_and_remembered_for_the_reason_that_was_planned() {
    let node = node("web", 2, RED_BLACK);
    let bench = deployed(&desired(&node, 1));
    let mut baked = desired(&node, 2);
    let why = "layer `site`: `site/index.html` changed";
    baked.image.why = Some(why.to_owned());
    bench.deploy(std::slice::from_ref(&baked)).unwrap();
    let history = bench.memory.lock().histories["web"].clone();
    assert_eq!(history[1].why, format!("image: web changed: {why}"));
}

#[test]
fn another_launch_configuration_rolls() {
    let mut wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    let TargetNode::Ec2(target) = &mut wanted.node.target;
    target.instance_type = "t3.small".into();
    target.user_data = Some(format!("#cloud-config\n{}", "x".repeat(100)));
    let plan = bench.plan(&[wanted]);
    assert!(matches!(plan.deployments[0].change, Change::Roll { .. }));
    let expected = ["instance_type: t3.micro → t3.small", "user_data: none → #cloud-config…"];
    assert_eq!(lines(&plan), expected);
}

#[test]
fn another_number_front_or_tag_adjusts_and_replaces_nothing() {
    let mut wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    wanted.node = node("web", 3, RED_BLACK);
    wanted.node.ports = vec![80, 443];
    wanted.node.tags.insert("team".into(), "site".into());
    let plan = bench.plan(&[wanted]);
    assert_eq!(plan.deployments[0].change, Change::Adjust { generation: 1 });
    let expected = ["capacity: 2 → 3", "ports: [80] → [80, 443]", "tag team: web → site"];
    assert_eq!(lines(&plan), expected);
    assert!(!plan.deployments[0].reasons.iter().any(|reason| reason.is_drift()));
}

#[test]
fn what_was_changed_by_hand_is_drift() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    {
        let mut inside = bench.world.lock();
        inside.front.get_mut("web").unwrap().insert("ports".into(), "[22]".into());
        let group = inside.groups.get_mut(&("web".to_owned(), 1)).unwrap();
        group.running.insert("tag team".into(), "ops".into());
        group.running.insert("tag cost".into(), "1".into());
        (group.capacity.desired, group.attached) = (1, false);
        group.machines.pop();
        group.machines[0].ill = true;
    }
    let plan = bench.plan(&[wanted]);
    assert_eq!(plan.deployments[0].change, Change::Adjust { generation: 1 });
    let server = bench.world.lock().groups.values().next().unwrap().machines[0].id;
    let expected = [
        "drift: generation 1 has lost its traffic".to_owned(),
        "drift: capacity: 2 → 1".to_owned(),
        "drift: ports: [80] → [22]".to_owned(),
        "drift: tag team: web → ops".to_owned(),
        "drift: tag cost: none → 1".to_owned(),
        format!("drift: i-{server} is unhealthy: answered 502"),
    ];
    assert_eq!(lines(&plan), expected);
}

#[test]
fn a_server_that_was_ended_by_hand_is_shown_and_waited_for() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    bench.world.lock().groups.values_mut().next().unwrap().machines.pop();
    let plan = bench.plan(std::slice::from_ref(&wanted));
    assert_eq!(plan.deployments[0].change, Change::Mend { generation: 1 });
    assert_eq!(lines(&plan), ["drift: 1 of 2 servers"]);
    // What mends itself makes no plan outdated.
    let before = bench.plan(std::slice::from_ref(&wanted));
    let outcomes = bench.deploy(std::slice::from_ref(&wanted)).unwrap();
    assert!(matches!(outcomes["web"], Outcome::Adjusted { generation: 1 }), "{outcomes:?}");
    assert_eq!(bench.world.serving("web"), 2);
    let after = bench.plan(&[wanted]);
    assert_eq!(after.deployments[0].change, Change::Nothing);
    assert!(before.outdated(&after).is_none() && after.outdated(&before).is_none());
}

#[test]
fn a_generation_that_was_removed_by_hand_is_made_again() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    bench.world.lock().groups.clear();
    let plan = bench.plan(&[wanted]);
    assert_eq!(plan.deployments[0].change, Change::Recreate { to: 2 });
    assert_eq!(lines(&plan), ["drift: generation 1 was removed"]);
}

#[test]
fn an_autoscaled_number_is_left_where_it_is() {
    let mut wanted = desired(&node("web", 2, RED_BLACK), 1);
    wanted.node.replicas.max = 6;
    let bench = deployed(&wanted);
    let plan = bench.plan(std::slice::from_ref(&wanted));
    bench.world.lock().groups.values_mut().next().unwrap().capacity.desired = 5;
    (0..4).for_each(|_| bench.world.tick());
    let moved = bench.plan(std::slice::from_ref(&wanted));
    assert_eq!(moved.deployments[0].change, Change::Nothing);
    assert_eq!(moved.deployments[0].world, plan.deployments[0].world);
    wanted.node.replicas.max = 4;
    let plan = bench.plan(&[wanted]);
    assert_eq!(lines(&plan)[0], "capacity: 5 (2 to 6) → 4 (2 to 4)");
}

#[test]
fn another_declared_number_is_gone_to_once_and_then_left_to_what_moves_it() {
    let declared = |desired_servers, version| {
        let mut wanted = desired(&node("web", 2, RED_BLACK), version);
        wanted.node.replicas.max = 6;
        wanted.node.replicas.desired = desired_servers;
        wanted
    };
    let bench = deployed(&declared(2, 1));
    let moves_to = |generation, servers| {
        let of = ("web".to_owned(), generation);
        bench.world.lock().groups.get_mut(&of).unwrap().capacity.desired = servers;
        (0..4).for_each(|_| bench.world.tick());
    };
    let has =
        |generation| bench.world.lock().groups[&("web".to_owned(), generation)].capacity.desired;
    moves_to(1, 4);
    let plan = bench.plan(&[declared(3, 1)]);
    assert_eq!(lines(&plan), ["capacity: 4 (2 to 6) → 3 (2 to 6)", "desired: 2 → 3"]);
    bench.deploy(&[declared(3, 1)]).unwrap();
    assert_eq!(has(1), 3);
    moves_to(1, 5);
    assert_eq!(bench.plan(&[declared(3, 1)]).deployments[0].change, Change::Nothing);
    // What stands there already is written down, and not gone to later.
    assert_eq!(lines(&bench.plan(&[declared(5, 1)])), ["desired: 3 → 5"]);
    bench.deploy(&[declared(5, 1)]).unwrap();
    moves_to(1, 4);
    assert_eq!(bench.plan(&[declared(5, 1)]).deployments[0].change, Change::Nothing);
    moves_to(1, 5);
    bench.deploy(&[declared(3, 1)]).unwrap();
    moves_to(1, 5);
    bench.deploy(&[declared(3, 2)]).unwrap();
    assert_eq!(has(2), 5, "as many as had the traffic");
    bench.deploy(&[declared(6, 3)]).unwrap();
    assert_eq!(has(3), 6, "as many as are declared now");
    moves_to(3, 4);
    bench.rollback("web", None).unwrap();
    assert_eq!(has(2), 4, "a rollback is of the image, not of the number");
    assert_eq!(bench.plan(&[declared(6, 2)]).deployments[0].change, Change::Nothing);
    // Nor where the one that is kept happens to have as many.
    bench.rollback("web", None).unwrap();
    assert_eq!(has(3), 4);
    assert_eq!(bench.plan(&[declared(6, 3)]).deployments[0].change, Change::Nothing);
}

#[test]
fn what_is_not_in_the_recipes_is_shown_and_left_alone() {
    let wanted = desired(&node("web", 2, RED_BLACK), 1);
    let bench = deployed(&wanted);
    let plan = bench.plan(&[]);
    assert_eq!(plan.deployments[0].change, Change::Orphan { generations: vec![1] });
    assert_eq!(plan.work().count(), 0);
}

#[test]
fn fewer_kept_generations_are_an_adjustment() {
    let kept = |keep_previous| node("web", 1, Strategy::RedBlack { keep_previous });
    let bench = deployed(&desired(&kept(1), 1));
    bench.deploy(&[desired(&kept(1), 2)]).unwrap();
    assert_eq!(bench.plan(&[desired(&kept(1), 2)]).deployments[0].change, Change::Nothing);
    let plan = bench.plan(&[desired(&kept(0), 2)]);
    assert_eq!(lines(&plan), ["generation 1 is not kept any more"]);
    bench.deploy(&[desired(&kept(0), 2)]).unwrap();
    assert_eq!(bench.world.numbers("web"), (vec![2], vec![]));
}

#[test]
fn a_plan_goes_to_a_file_and_comes_back_as_it_was() {
    let node = node("web", 2, RED_BLACK);
    let bench = deployed(&desired(&node, 1));
    bench.world.lock().groups.values_mut().next().unwrap().attached = false;
    let plan = bench.plan(&[desired(&node, 2)]);
    let text = serde_json::to_string(&plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!((read.digest(), &read), (plan.digest(), &plan));
    assert!(text.contains(r#""change":"roll","from":[],"to":2"#), "{text}");
}

#[test]
fn a_plan_of_another_world_or_recipe_is_refused_in_words() {
    let web = node("web", 2, RED_BLACK);
    let bench = deployed(&desired(&web, 1));
    let plan = bench.plan(&[desired(&web, 2)]);
    assert!(plan.outdated(&bench.plan(&[desired(&web, 2)])).is_none());

    let other = bench.plan(&[desired(&web, 3)]);
    let refused = plan.outdated(&other).unwrap().to_string();
    assert!(refused.ends_with("`web` is declared otherwise since"), "{refused}");
    let mut moved_line = desired(&web, 2);
    moved_line.node.origin.line += 1;
    assert!(plan.outdated(&bench.plan(&[moved_line])).is_none());

    bench.world.lock().front.get_mut("web").unwrap().insert("ports".into(), "[22]".into());
    let refused = plan.outdated(&bench.plan(&[desired(&web, 2)])).unwrap().to_string();
    assert!(refused.ends_with("what runs of `web` has changed since"), "{refused}");
    let gone = plan.outdated(&bench.plan(&[])).unwrap().to_string();
    assert!(gone.ends_with("`web` is declared otherwise since"), "{gone}");
}
