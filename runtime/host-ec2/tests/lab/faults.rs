//! What a user did wrong, or the account cannot: an error with the recipe's line and a remedy.

use super::cloud::Lab;
use super::project::{Project, Ran};
use kiln::{Image, Layer, ami, ami_parameter, ec2, newest_ami, step};
use serde_json::json;

fn image(project: &Project<'_>) -> Image {
    project.debian("tiny").layer(Layer::new("mark").step(step::run("touch /etc/mark")))
}

/// Fails with these words, a remedy, and the line of a recipe.
fn fails(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let failure = ran.failure();
    let message = failure["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "no `{word}` in {failure}");
    }
    assert!(failure["help"].as_str().is_some_and(|help| !help.is_empty()), "no remedy: {failure}");
    let file = failure["origin"]["file"].as_str().unwrap_or_else(|| panic!("no line: {failure}"));
    assert!(file.ends_with(".rs"), "{failure}");
}

#[test]
fn an_ami_that_is_not_there_is_named_with_the_recipes_line() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let on = |base: kiln::Ami| {
        Image::new("tiny", project.folder.path().to_str().unwrap())
            .base(base)
            .layer(Layer::new("mark").step(step::run("touch /etc/mark")))
    };
    let bake = |base| project.bake(on(base));
    fails(&bake(ami("ami-0123456789abcdef0")), &["ami-0123456789abcdef0", "eu-west-1"]);
    fails(&bake(ami_parameter("/none/such")), &["/none/such"]);
    fails(&bake(newest_ami("self", "none-such-*")), &["none-such-*"]);
}

#[test]
fn an_ami_that_goes_after_it_was_locked_asks_for_an_update() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let first = project.ami(&image(&project));
    let on = |text: &str| {
        Image::new("second", project.folder.path().to_str().unwrap())
            .base(newest_ami("self", "tiny *"))
            .layer(Layer::new("mark").step(step::file("/etc/second").content(text)))
    };
    project.run(on("a"), &["update", "--format", "json"]).done();
    lab.boto(&format!("ec2.deregister_image(ImageId='{first}')"));
    let gone = project.bake(on("b"));
    fails(&gone, &[&first]);
    assert!(gone.failure()["help"].as_str().unwrap().contains("cargo xtask update"));
}

#[test]
fn an_architecture_that_the_machine_has_not_is_refused_before_anything_is_made() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let base = ami_parameter("/aws/service/debian/release/12/latest/arm64");
    let tiny = Image::new("tiny", project.folder.path().to_str().unwrap())
        .base(base)
        .layer(Layer::new("mark").step(step::run("touch /etc/mark")));
    let (ran, calls) = lab.calls_of(|| project.bake(tiny));
    fails(&ran, &["arm64", "amd64"]);
    assert!(
        calls.iter().all(|(action, _)| !action.starts_with("Create") && action != "RunInstances")
    );
}

#[test]
fn an_account_without_a_default_network_is_told_to_name_a_subnet() {
    let lab = Lab::up(&["--no-default-vpc"]);
    let project = Project::new(&lab);
    let ran = project.bake(image(&project));
    fails(&ran, &["VPC"]);
    assert!(ran.failure()["help"].as_str().unwrap().contains("subnet"));
    assert_eq!(lab.instances(), [""; 0]);
}

#[test]
fn what_the_recipe_names_and_ec2_has_not_is_an_error_and_nothing_stays() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let with = |builder: kiln::Ec2| project.bake(image(&project).builder(builder));
    fails(&with(ec2().subnet("subnet-0123456789abcdef0")), &["subnet-0123456789abcdef0"]);
    fails(&with(ec2().security_groups(["sg-0123456789abcdef0"])), &["sg-0123456789abcdef0"]);
    lab.misbehave(&json!({ "no_capacity": ["t3.small"] }));
    fails(&with(ec2()), &["t3.small", "InsufficientInstanceCapacity"]);
    assert_eq!(lab.instances(), [""; 0]);
    let groups =
        lab.boto("[g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups']]");
    assert_eq!(groups, json!(["default"]), "a group is left");
}

#[test]
fn credentials_that_expired_or_are_missing_ask_to_log_in() {
    let lab = Lab::up(&[]);
    let mut project = Project::new(&lab);
    assert_eq!(project.bake(image(&project)).counts(), (3, 0, 0));
    let help = |ran: &Ran| {
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        ran.failure()["help"].as_str().unwrap_or_else(|| panic!("{}", ran.stdout)).to_owned()
    };
    lab.misbehave(&json!({ "expired_credentials": true }));
    assert!(help(&project.bake(image(&project))).contains("log in again"));
    // Where the recipe says that EC2 builds it, that line is shown.
    let asked = project.bake(image(&project).builder(ec2()));
    fails(&asked, &["RequestExpired"]);
    lab.misbehave(&json!({ "expired_credentials": false }));
    project.environment = vec![
        ("AWS_ACCESS_KEY_ID", None),
        ("AWS_SECRET_ACCESS_KEY", None),
        ("AWS_SHARED_CREDENTIALS_FILE", Some("/dev/null")),
        ("AWS_CONFIG_FILE", Some("/dev/null")),
    ];
    assert!(help(&project.bake(image(&project))).contains("log in"));
}

/// Takes the port of the bake's sshd before the bake's own can, with a host key of its own.
const IMPOSTOR: &str = "#cloud-boothook
#!/bin/sh
mkdir -p /run/sshd /run/impostor
ssh-keygen -q -t ed25519 -N '' -f /run/impostor/key
/usr/sbin/sshd -p 6022 -h /run/impostor/key -o PidFile=none
";

#[test]
fn a_machine_that_shows_another_host_key_is_refused_and_gets_nothing() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let (ran, calls) =
        lab.calls_of(|| project.bake(image(&project).builder(ec2().user_data(IMPOSTOR))));
    fails(&ran, &["host key SHA256:", "and not SHA256:", "6022"]);
    assert!(ran.layers("step").is_empty(), "nothing is run there: {}", ran.stdout);
    assert!(calls.iter().all(|(action, _)| action != "CreateSnapshot"), "{calls:?}");
    assert_eq!(lab.instances(), [""; 0]);
    let groups =
        lab.boto("[g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups']]");
    assert_eq!(groups, json!(["default"]), "a group is left");
    assert_eq!(std::fs::read_dir(project.path("store/ec2/runs")).unwrap().count(), 0);
}
