use crate::host::Project;
use kiln::prelude::*;
use kiln_engine::driver::Capacity;

pub type Case = (&'static str, fn());

pub const ALL: &[Case] = &[
    ("a_plan_says_what_becomes_of_each_deployment_and_why", plans),
    ("a_plan_says_what_is_baked_first", plans_a_bake),
    ("an_image_that_cannot_be_baked_leaves_its_deployment_as_it_is", no_bake),
    ("a_plan_of_a_thousand_that_did_not_change_is_short", many),
    ("a_name_that_nobody_has_is_an_error_that_lists_the_known", unknown),
    ("a_plan_of_images_is_named_by_them", images),
    ("what_is_deployed_is_seen_and_not_deployed_again", deploys),
    ("nobody_to_ask_is_an_error_and_changes_nothing", asks),
    ("a_plan_file_is_done_exactly_or_refused", plan_file),
    ("nobody_is_asked_about_what_json_does_not_show", json_asks_nobody),
    ("drift_is_shown_and_mended", drift),
    ("a_rollback_gives_the_traffic_back_and_history_tells", rollback),
    ("what_is_not_in_the_recipes_is_shown_left_alone_and_destroyed_by_name", orphan),
    ("events_are_lines_of_json_and_end_with_a_summary", events),
];

pub fn of(deployments: impl IntoIterator<Item = Deployment>) -> Document {
    deployments.into_iter().fold(Document::new("shop"), Document::deployment)
}

fn plans() {
    let project = Project::new();
    let all = |kind: &str| {
        of([project.deployment("production", kind), project.deployment("staging", "t3.micro")])
    };
    let created = project.run(all("t3.micro"), &["plan", "--detailed-exitcode"]).ended(2);
    assert_eq!(
        created.stdout,
        "production  is created: generation 1\n  new\nstaging     is created: generation 1\n  new\n\n\
         Plan: 2 to create, 0 to roll, 0 to change, 0 to destroy.\n"
    );
    project.run(all("t3.micro"), &["deploy", "--yes"]).ended(0);
    let quiet = project.run(all("t3.micro"), &["plan", "--detailed-exitcode"]).ended(0);
    assert_eq!(
        quiet.stdout,
        "production  no change\nstaging     no change\n\nNo changes: what runs is what is declared.\n"
    );
    let rolls = project.run(all("t3.small"), &["plan"]).ended(0);
    assert_eq!(
        rolls.stdout,
        "production  rolls: generation 1 → 2\n  instance_type: t3.micro → t3.small\nstaging     no change\n\n\
         Plan: 0 to create, 1 to roll, 0 to change, 0 to destroy.\n"
    );
    let document = project.run(all("t3.small"), &["plan", "--format", "json"]).ended(0).json();
    assert_eq!((&document["version"], &document["roll"]), (&1.into(), &1.into()));
    assert_eq!(document["deployments"][0]["change"], "roll");
    assert_eq!(document["deployments"][0]["reasons"][0]["declared"], "t3.small");
    assert_eq!(document["nodes"][0]["place"], "eu-west-1");
    let scaled = of([project.deployment("production", "t3.micro").replicas(5)]);
    let scaled = project.run(scaled, &["plan", "production"]).ended(0).stdout;
    assert!(scaled.contains("changes in place: generation 1\n  capacity: 2 → 5\n"), "{scaled}");
}

fn plans_a_bake() {
    let mut project = Project::new();
    project.nothing_is_baked = true;
    let ran = project.run(of([project.deployment("production", "t3.micro")]), &["plan"]).ended(0);
    let first = ran.stdout.lines().next();
    assert_eq!(first, Some("web"), "{}", ran.stdout);
    for line in ["  + site ", "  + image ", "production  is created", "to build, 1 to create"] {
        assert!(ran.stdout.contains(line), "{line} in {}", ran.stdout);
    }
}

fn no_bake() {
    let mut project = Project::new();
    project.run(of([project.deployment("production", "t3.micro")]), &["deploy", "--yes"]).ended(0);
    let before = serde_json::to_string(&project.world()).unwrap();
    project.nothing_is_baked = true;
    let other = || of([project.deployment("production", "t3.micro").image(project.image("other"))]);
    let planned = project.run(other(), &["plan"]).ended(0).stdout;
    assert!(
        planned.contains("rolls: generation 1 → 2") && planned.contains("image: web changed"),
        "{planned}"
    );
    let ran = project.run(other(), &["deploy", "--yes"]).ended(1);
    assert!(ran.stderr.contains("nothing is baked here"), "{}", ran.stderr);
    assert_eq!(serde_json::to_string(&project.world()).unwrap(), before);
}

fn many() {
    let project = Project::new();
    let all = || of((0..1000).map(|number| project.deployment(&format!("d{number}"), "t3.micro")));
    let observed = |number| crate::world::Group {
        deployment: format!("d{number}"),
        number: 1,
        launch: Default::default(),
        running: Default::default(),
        capacity: Capacity { min: 2, desired: 2, max: 2 },
        declared: 2,
        attached: true,
    };
    let one = project.run(of([project.deployment("d0", "t3.micro")]), &["deploy", "--yes"]);
    one.ended(0);
    project.change(|world| {
        let (launch, front) = (world.groups[0].launch.clone(), world.fronts["d0"].clone());
        let more = (1..1000)
            .map(|number| crate::world::Group { launch: launch.clone(), ..observed(number) });
        world.groups.extend(more);
        world.fronts.extend((1..1000).map(|number| (format!("d{number}"), front.clone())));
    });
    let ran = project.run(all(), &["plan", "--detailed-exitcode"]).ended(0);
    assert_eq!(
        ran.stdout,
        "1000 others: no change\n\nNo changes: what runs is what is declared.\n"
    );
}

fn unknown() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    for command in ["plan", "deploy", "status", "history", "rollback", "destroy", "output"] {
        let ran = project.run(document(), &[command, "prodution", "--yes"]).ended(1);
        assert!(ran.stderr.contains("`prodution`"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("production"), "{command}: {}", ran.stderr);
    }
    let two = of(["production", "staging"].map(|name| project.deployment(name, "t3.micro")));
    let ran = project.run(two, &["status", "prodution"]).ended(1);
    assert!(ran.stderr.contains("did you mean `production`?"), "{}", ran.stderr);
    let image = project.run(document(), &["deploy", "web", "--yes"]).ended(1);
    assert!(image.stderr.contains("`web` is an image"), "{}", image.stderr);
    let file = project.run(document(), &["deploy", "next.plan"]).ended(1);
    assert!(file.stderr.contains("neither a deployment nor a file"), "{}", file.stderr);
    let nothing = project.run(document(), &["output", "production"]).ended(0);
    assert!(nothing.stderr.contains("nothing runs of `production`"), "{}", nothing.stderr);
    project.run(document(), &["destroy"]).ended(64);
    project.run(document(), &["deploy", "--lease-time", "0"]).ended(64);
    let none = Document::new("shop").image(project.image("hello"));
    assert!(project.run(none, &["deploy"]).ended(1).stderr.contains("have no deployment"));
}

fn images() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document(), &["plan", "web", "--builder", "ec2"]).ended(0);
    assert!(ran.stdout.contains("everything is cached"), "{}", ran.stdout);
    let both = project.run(document(), &["plan", "web", "production"]).ended(1);
    assert!(both.stderr.contains("`web` is an image"), "{}", both.stderr);
    let written =
        project.run(document(), &["plan", "web", "--builder", "ec2", "--out", "p"]).ended(1);
    assert!(written.stderr.contains("images alone"), "{}", written.stderr);
}

fn deploys() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document(), &["deploy", "--yes"]).ended(0);
    assert!(ran.stderr.contains("production.url = http://production.example"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 deployed"), "{}", ran.stderr);
    let status = project.run(document(), &["status"]).ended(0).stdout;
    assert!(status.contains("production  generation 1 serves"), "{status}");
    assert!(status.contains("2 of 2 healthy") && status.contains("10.0.1.2  healthy"), "{status}");
    let document_of = project.run(document(), &["status", "--format", "json"]).ended(0).json();
    assert_eq!(document_of["deployments"][0]["generations"][0]["servers"][1]["health"], "healthy");
    let outputs =
        project.run(document(), &["output", "production", "--format", "json"]).ended(0).json();
    let outputs = &outputs["deployments"]["production"];
    assert_eq!(outputs["addresses"], "10.0.1.1 10.0.1.2");
    assert_eq!(outputs["image_key"].as_str().map(str::len), Some(64), "{outputs}");
    let before = serde_json::to_string(&project.world()).unwrap();
    let again = project.run(document(), &["deploy", "--yes"]).ended(0);
    assert!(again.stdout.contains("No changes"), "{}", again.stdout);
    assert_eq!(serde_json::to_string(&project.world()).unwrap(), before);
}

fn asks() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document(), &["deploy"]).ended(1);
    assert!(ran.stdout.contains("Plan: 1 to create"), "{}", ran.stdout);
    assert!(ran.stderr.contains("no terminal") && ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert!(project.world().groups.is_empty());
    project.run(document(), &["deploy", "--yes"]).ended(0);
    let other = of([project.deployment("production", "t3.small")]);
    project.run(other, &["deploy", "--yes"]).ended(0);
    for command in [&["destroy", "production"][..], &["rollback", "production"]] {
        let ran = project.run(document(), command).ended(1);
        assert!(ran.stderr.contains("no terminal"), "{}", ran.stderr);
        assert_eq!(project.world().groups.len(), 2);
    }
}

fn plan_file() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new();
    let document = |kind: &str| of([project.deployment("production", kind)]);
    project.run(document("t3.micro"), &["plan", "--out", "next.plan"]).ended(0);
    // Somebody else's recipes may have a deployment of the same name.
    let other = Document::new("other").deployment(project.deployment("production", "t3.micro"));
    let refused = project.run(other, &["deploy", "next.plan"]).ended(1);
    assert!(refused.stderr.contains("a plan of the project `shop`"), "{}", refused.stderr);
    assert!(project.world().groups.is_empty());
    let mode = std::fs::metadata(project.path("next.plan")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The recipe has moved.
    let moved = project.run(document("t3.small"), &["deploy", "next.plan"]).ended(1);
    assert!(moved.stderr.contains("declared otherwise since"), "{}", moved.stderr);
    assert!(project.world().groups.is_empty());
    // An input has.
    let image = project.image("good day");
    let other = project.deployment("production", "t3.micro").image(image);
    let moved = project.run(of([other]), &["deploy", "next.plan"]).ended(1);
    assert!(moved.stderr.contains("`web/site` is another one since"), "{}", moved.stderr);
    // Nothing has: nobody is asked.
    project.run(document("t3.micro"), &["deploy", "next.plan"]).ended(0);
    assert_eq!(project.world().groups.len(), 1);
    // The world has.
    let moved = project.run(document("t3.micro"), &["deploy", "next.plan"]).ended(1);
    assert!(moved.stderr.contains("what runs of `production` has changed"), "{}", moved.stderr);
    std::fs::write(project.path("no.plan"), "{}").unwrap();
    let no = project.run(document("t3.micro"), &["deploy", "no.plan"]).ended(1);
    assert!(no.stderr.contains("not a plan"), "{}", no.stderr);
}

fn drift() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    project.run(document(), &["deploy", "--yes"]).ended(0);
    project.change(|world| world.groups[0].capacity.desired = 1);
    let plan = project.run(document(), &["plan"]).ended(0).stdout;
    assert!(plan.contains("drift: capacity"), "{plan}");
    project.run(document(), &["deploy", "--yes"]).ended(0);
    assert_eq!(project.world().groups[0].capacity.desired, 2);
}

fn rollback() {
    let project = Project::new();
    let document = |kind: &str| of([project.deployment("production", kind)]);
    project.run(document("t3.micro"), &["deploy", "--yes"]).ended(0);
    // What cannot be is refused before anybody is asked.
    let refused = |args: &[&str], words: &str| {
        let args = [&["rollback", "production"], args].concat();
        let ran = project.run(document("t3.micro"), &args).ended(1);
        assert!(ran.stderr.contains(words), "{words} is not in: {}", ran.stderr);
        assert!(!ran.stdout.contains("rolls back"), "{}", ran.stdout);
    };
    refused(&[], "no earlier generation that served");
    refused(&["--to", "1"], "generation 1 of `production` serves");
    refused(&["--to", "7"], "no generation 7 that served");
    project.run(document("t3.small"), &["deploy", "--yes"]).ended(0);
    let back = project.run(document("t3.small"), &["rollback", "production", "--yes"]).ended(0);
    assert!(back.stdout.contains("generation 2 → 1, which is kept warm"), "{}", back.stdout);
    let attached = |number| {
        let world = project.world();
        world.groups.iter().find(|group| group.number == number).unwrap().attached
    };
    assert!(attached(1) && !attached(2));
    let history = project.run(document("t3.small"), &["history", "production"]).ended(0).stdout;
    let actions: Vec<&str> = history.lines().filter(|line| line.contains(" UTC  ")).collect();
    assert_eq!(actions.len(), 3, "{history}");
    assert!(actions[0].contains("rollback done  generation 1"), "{history}");
    assert!(history.contains("  instance_type: t3.micro → t3.small"), "{history}");
    let entries = project.run(document("t3.small"), &["history", "production", "--format", "json"]);
    assert_eq!(entries.ended(0).json()["history"][2]["action"], "rollback");
}

fn json_asks_nobody() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document(), &["deploy", "--format", "json"]).ended(1);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "error");
    assert!(last["help"].as_str().unwrap().contains("--yes"), "{last}");
    assert!(project.world().groups.is_empty());
}

fn orphan() {
    let project = Project::new();
    let both =
        of([project.deployment("production", "t3.micro"), project.deployment("old", "t3.micro")]);
    project.run(both, &["deploy", "--yes"]).ended(0);
    let document = || of([project.deployment("production", "t3.micro")]);
    let plan = project.run(document(), &["plan", "--detailed-exitcode"]).ended(0).stdout;
    assert!(plan.contains("`destroy old --region eu-west-1` removes it"), "{plan}");
    project.run(document(), &["deploy", "--yes"]).ended(0);
    assert_eq!(project.world().groups.len(), 2);
    let destroyed = project.run(document(), &["destroy", "old", "--yes"]).ended(0);
    assert!(destroyed.stdout.contains("  - group old-g1"), "{}", destroyed.stdout);
    assert!(destroyed.stderr.contains("1 changed, 0 failed"), "{}", destroyed.stderr);
    assert!(project.world().groups.iter().all(|group| group.deployment == "production"));
}

fn events() {
    let project = Project::new();
    let document = of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document, &["deploy", "--yes", "--format", "json"]).ended(0);
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "started");
    let phases: Vec<&str> = events.iter().filter_map(|event| event["phase"].as_str()).collect();
    assert!(phases.contains(&"launching") && phases.contains(&"attaching"), "{phases:?}");
    assert_eq!(phases.last(), Some(&"done"));
    let outputs = events.iter().find(|event| event["event"] == "outputs").unwrap();
    assert_eq!(outputs["outputs"]["url"], "http://production.example");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["deployed"]), (&"summary".into(), &1.into()));
}
