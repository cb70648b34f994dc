//! Deploys that must not succeed, or must not do anything: the old generation serves on.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, deployment, page, recipes, told};
use super::project::{Project, end};
use kiln::{Deployment, Image, health, target};

/// Its servers start and never answer.
fn broken(image: Image) -> Deployment {
    let script = "#!/bin/sh\nsystemctl stop page\necho 'the page has no paper' >/dev/console\n";
    deployment(image)
        .target(target::ec2().instance_type("t3.micro").user_data(script))
        .health(health::http().path("/").interval("5s").timeout("2s").within("30s"))
}

#[test]
fn a_generation_that_never_gets_healthy_takes_no_traffic_and_goes() {
    never_healthy(|deployment| deployment);
}

#[test]
fn a_step_that_never_gets_healthy_takes_no_traffic_and_goes() {
    never_healthy(|deployment| deployment.strategy(kiln::strategy::rolling().step(1)));
}

fn never_healthy(replaced: impl Fn(Deployment) -> Deployment) {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let works = replaced(told(page(&project), "one"));
    let traffic = fleet.begin(&works);
    let before = fleet.groups();
    let left = fleet.left();
    let templates = "[v['VersionNumber'] for t in ec2.describe_launch_templates()['LaunchTemplates'] \
        for v in ec2.describe_launch_template_versions(LaunchTemplateId=t['LaunchTemplateId'])['LaunchTemplateVersions']]";
    let made = lab.boto(templates);
    let broken = replaced(broken(page(&project)));
    let failed = traffic.switch("one", || fleet.run(&broken, &["deploy", "--yes"]));
    let refusal = failed.refusal();
    let said = refusal.to_string();
    assert!(refusal["help"].as_str().is_some_and(|help| !help.is_empty()), "{said}");
    assert!(said.contains("the page has no paper"), "the console is not shown: {said}");
    assert_eq!(fleet.groups(), before, "the old generation was touched, or the new one stayed");
    assert_eq!(lab.boto(templates), made, "a version of the launch template is left");
    assert_eq!(fleet.left(), left);
    // The way back is to declare what worked: nothing is to be done then.
    let (again, calls) = lab.calls_of(|| fleet.run(&works, &["deploy", "--yes"]));
    again.done();
    assert!(calls.iter().all(|(action, _)| action.starts_with("Describe")), "{calls:?}");
}

#[test]
fn of_two_deploys_at_once_one_refuses_with_the_others_name_or_waits() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let traffic = fleet.begin(&told(page(&project), "one"));
    let second = recipes([told(page(&project), "two")]);
    let third = recipes([told(page(&project), "three")]);
    let running = project.start_on(&second, &["deploy", "--yes", "--format", "json"]);
    // It has begun when it has made its group.
    while fleet.groups().len() < 2 {}
    let refused = fleet.on(&third, &["deploy", "--yes"]);
    let said = refused.refusal().to_string();
    assert!(said.contains('@') && said.contains("deploy"), "who holds it is not said: {said}");
    let waited = fleet.on(&third, &["deploy", "--yes", "--lock-timeout", "120"]);
    assert!(end(running).done().phases(&["done"]).iter().any(|(name, _)| name == NAME));
    // What was planned while another was at it may have moved: then it says so and has done nothing.
    let version = if waited.code == Some(0) { "three" } else { "two" };
    traffic.switch(version, || ());
}

#[test]
fn a_plan_that_does_not_fit_the_world_any_more_is_refused() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let (one, two) = (told(page(&project), "one"), told(page(&project), "two"));
    fleet.prepare(&one);
    fleet.run(&one, &["deploy", "--yes"]).done();
    fleet.run(&two, &["plan", "--out", "plan.json"]).done();
    fleet.run(&two.clone().replicas(1), &["deploy", "--yes"]).done();
    let before = fleet.groups();
    let refused = fleet.run(&two, &["deploy", "plan.json", "--yes"]);
    let help = refused.refusal()["help"].as_str().unwrap_or_default().to_owned();
    assert!(help.contains("plan"), "{help}");
    assert_eq!(fleet.groups(), before);
    // One that fits is done, and says so.
    fleet.run(&two, &["plan", "--out", "plan.json"]).done();
    fleet.run(&two, &["deploy", "plan.json", "--yes"]).done();
    let quiet = fleet.run(&two, &["plan", "--detailed-exitcode"]);
    assert_eq!(quiet.code, Some(0), "{}", quiet.stdout);
    assert_eq!(fleet.run(&one, &["plan", "--detailed-exitcode"]).code, Some(2));
}

#[test]
fn a_wrong_region_and_missing_credentials_change_nothing_and_say_what_to_do() {
    let lab = Lab::up(&[]);
    let mut project = Project::new(&lab);
    {
        let fleet = Fleet { lab: &lab, project: &project };
        fleet.prepare(&told(page(&project), "one"));
        // What is locked is of another region: nothing may be taken from there that nobody has seen.
        let elsewhere = told(page(&project), "one")
            .target(target::ec2().region("eu-central-1").instance_type("t3.micro"));
        let (ran, calls) = lab.calls_of(|| fleet.run(&elsewhere, &["deploy", "--yes"]));
        let refusal = ran.refusal().to_string();
        assert!(refusal.contains("eu-central-1") && refusal.contains("update"), "{refusal}");
        let reads = |(action, _): &(String, _)| action.starts_with("Describe");
        assert!(calls.iter().all(reads), "{calls:?}");
    }
    project.environment =
        vec![("AWS_REGION", Some("eu-nowhere-9")), ("AWS_DEFAULT_REGION", Some("eu-nowhere-9"))];
    let fleet = Fleet { lab: &lab, project: &project };
    let ran = fleet.run(&told(page(&project), "one"), &["deploy", "--yes"]);
    let refusal = ran.refusal().to_string();
    assert!(refusal.contains("eu-nowhere-9"), "{refusal}");
    project.environment = vec![
        ("AWS_ACCESS_KEY_ID", None),
        ("AWS_SECRET_ACCESS_KEY", None),
        ("AWS_SHARED_CREDENTIALS_FILE", Some("/dev/null")),
        ("AWS_CONFIG_FILE", Some("/dev/null")),
    ];
    let fleet = Fleet { lab: &lab, project: &project };
    let refusal = fleet.run(&told(page(&project), "one"), &["deploy", "--yes"]).refusal();
    assert!(refusal["help"].as_str().unwrap_or_default().contains("log in"), "{refusal}");
    assert_eq!(fleet.left(), [""; 0]);
}
