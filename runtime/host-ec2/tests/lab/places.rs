//! Several places at once: regions that both have machines, and an architecture that the lab can name and not run.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, deployment, page, recipes, text_of, version};
use super::project::{Project, Ran};
use kiln::{Document, Image, Layer, ec2, scratch, step, target};
use kiln_load::{Address, Load, Running};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// One deployment a region, of one image.
fn both(project: &Project<'_>, text: &str) -> Document {
    recipes(REGIONS.map(|region| {
        let servers = target::ec2().region(region).instance_type("t3.micro");
        deployment(version(project, text)).named(format!("shop-{region}")).target(servers)
    }))
}

/// The values of a field of these events.
fn told(ran: &Ran, event: &str, field: &str) -> Vec<String> {
    let events = ran.events().into_iter().filter(|one| one["event"] == event);
    events.map(|one| one[field].as_str().unwrap_or_default().to_owned()).collect()
}

fn set<const N: usize>(words: [&str; N]) -> BTreeSet<String> {
    words.map(ToOwned::to_owned).into()
}

/// Requests to the load balancer of a region's deployment.
fn traffic(fleet: &Fleet<'_>, document: &Document, region: &str) -> Running {
    let outputs = fleet.on(document, &["output", &format!("shop-{region}")]).done().stdout;
    let outputs: Value = serde_json::from_str(&outputs).unwrap();
    let url = text_of(&outputs, "url").unwrap_or_else(|| panic!("no url in {outputs}"));
    Load::new(Address::parse(&url).unwrap(), 50).start()
}

fn sees(traffic: &Running, text: &str) -> bool {
    traffic.wait_for(Duration::from_secs(60), |request| request.answer() == Some(text))
}

#[test]
fn one_image_is_baked_and_deployed_in_two_regions_and_told_apart() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = both(&project, "one");
    let updated = fleet.on(&one, &["update"]).done();
    assert_eq!(told(&updated, "image", "place").into_iter().collect::<BTreeSet<_>>(), set(REGIONS));
    let amis: BTreeSet<String> = told(&updated, "image", "artifact").into_iter().collect();
    assert_eq!(amis.len(), 2, "an AMI is of one region: {amis:?}");
    assert_eq!(told(&updated, "baked", "place"), REGIONS);
    let lock = std::fs::read_to_string(project.path("kiln.lock")).unwrap();
    for region in REGIONS {
        assert!(lock.contains(&format!(" in {region}\"")), "{lock}");
    }
    // As CI does: bake, then deploy what is there.
    assert_eq!(fleet.on(&one, &["bake", "--locked"]).done().counts().0, 0);
    fleet.on(&one, &["deploy", "--locked", "--yes"]).done();
    let requests = REGIONS.map(|region| traffic(&fleet, &one, region));
    assert!(requests.iter().all(|traffic| sees(traffic, "one")));
    fleet.on(&one, &["plan", "--detailed-exitcode"]).done();

    let two = both(&project, "two");
    let planned = fleet.on(&two, &["plan", "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(2), "{}\n{}", planned.stdout, planned.stderr);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(plan["roll"], 2, "{plan:#}");
    let (baked, calls) = lab.calls_of(|| fleet.on(&two, &["bake", "--locked"]).done());
    let events = baked.events();
    let at = |event: &str, region: &str| {
        events.iter().position(|one| one["event"] == event && one["place"] == region).unwrap()
    };
    for (here, there) in [(REGIONS[0], REGIONS[1]), (REGIONS[1], REGIONS[0])] {
        assert!(at("building", here) < at("built", there), "one after the other");
    }
    let launched = calls.iter().filter(|(action, _)| action == "RunInstances").count();
    assert_eq!(launched, 2, "one machine in each region");
    assert_eq!(told(&baked, "built", "place").into_iter().collect::<BTreeSet<_>>(), set(REGIONS));
    assert_eq!(fleet.on(&two, &["deploy", "--locked", "--yes"]).done().counts().0, 0);
    for traffic in &requests {
        assert!(sees(traffic, "two"));
    }

    let status = fleet.on(&two, &["status"]).done().stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let outputs = fleet.on(&two, &["output"]).done().stdout;
    let outputs: Value = serde_json::from_str(&outputs).unwrap();
    for (number, region) in REGIONS.into_iter().enumerate() {
        let name = format!("shop-{region}");
        let shown = &status["deployments"][number];
        assert_eq!((&shown["deployment"], &shown["place"]), (&json!(name), &json!(region)));
        assert_eq!(outputs["deployments"][&name]["place"], region, "{outputs:#}");
    }
    drop(requests);
    let names = REGIONS.map(|region| format!("shop-{region}"));
    fleet.on(&two, &["destroy", &names[0], &names[1], "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
    let there = "[b['LoadBalancerName'] for b in boto3.client('elbv2', region_name='us-east-1').describe_load_balancers()['LoadBalancers']] \
                 + [g['AutoScalingGroupName'] for g in boto3.client('autoscaling', region_name='us-east-1').describe_auto_scaling_groups()['AutoScalingGroups']]";
    assert_eq!(lab.boto(there), json!([]));

    // `gc` looks at both; what is young stays until somebody says otherwise.
    let gc = |args: &[&str]| fleet.on(&two, &[&["gc", "--yes"], args].concat()).done();
    let gone = |ran: &Ran| -> Vec<(String, String)> {
        let doomed = ran.events().into_iter().filter(|one| one["action"] == "remove");
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let images = doomed.filter(|one| one["kind"] == "image");
        images.map(|one| (text(&one, "place"), text(&one, "id"))).collect()
    };
    assert_eq!(gone(&gc(&[])), []);
    let removed = gone(&gc(&["--older-than", "0s"]));
    let (places, ids): (Vec<_>, BTreeSet<_>) = removed.into_iter().unzip();
    assert_eq!((places.as_slice(), ids), (REGIONS.map(ToOwned::to_owned).as_slice(), amis));
    assert_eq!(fleet.on(&two, &["bake", "--locked"]).done().counts().0, 0, "what is wanted stays");

    // A region that nothing is deployed to any more is forgotten.
    let servers = target::ec2().region(REGIONS[0]).instance_type("t3.micro");
    let alone = recipes([deployment(version(&project, "two")).target(servers)]);
    fleet.on(&alone, &["update"]).done();
    let lock = std::fs::read_to_string(project.path("kiln.lock")).unwrap();
    assert!(lock.contains(REGIONS[0]) && !lock.contains(REGIONS[1]), "{lock}");
}

#[test]
fn an_image_for_two_architectures_is_resolved_for_both_and_one_that_fails_leaves_the_other() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let on = |name: &str, kind: &str| {
        let servers = target::ec2().region("eu-west-1").instance_type(kind);
        deployment(page(&project)).named(name).target(servers)
    };
    let recipes = recipes([on("intel", "t3.micro"), on("arm", "t4g.micro")]);
    let (updated, calls) = lab.calls_of(|| fleet.on(&recipes, &["update"]));
    // The lab has no machine for it.
    assert_eq!(updated.code, Some(1), "{}\n{}", updated.stdout, updated.stderr);
    assert_eq!(told(&updated, "failed", "architecture"), ["arm64"]);
    assert_eq!(told(&updated, "image", "architecture"), ["amd64"]);
    let asked: BTreeSet<&str> = calls
        .iter()
        .filter(|(action, _)| action == "GetParameter")
        .map(|(_, parameters)| parameters["Name"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(asked, ["amd64", "arm64"].into());
    let lock = std::fs::read_to_string(project.path("kiln.lock")).unwrap();
    for architecture in ["amd64", "arm64"] {
        assert!(lock.contains(&format!("architecture = \"{architecture}\"")), "{lock}");
    }
    let planned = fleet.on(&recipes, &["plan", "page", "--locked"]).done().stdout;
    let plan: Value = serde_json::from_str(&planned).unwrap();
    let actions = |architecture: &str| -> Vec<&str> {
        let nodes = plan["nodes"].as_array().unwrap().iter();
        let here = nodes.filter(|node| node["architecture"] == architecture);
        here.map(|node| node["action"].as_str().unwrap()).collect()
    };
    assert_eq!(actions("amd64"), ["cached", "cached", "cached"]);
    assert_eq!(actions("arm64"), ["cached", "build", "build"]);
}

#[test]
fn images_of_the_sandbox_and_of_ec2_are_baked_by_one_command() {
    let lab = Lab::up(&[]);
    let mut project = Project::new(&lab);
    project.environment.push(("KILN_BUILDER", None));
    let mark = |text: &str| Layer::new("mark").step(step::file("/etc/mark").content(text));
    let root = project.folder.path().to_str().unwrap();
    let here = |text: &str| Image::new("here", root).base(scratch()).layer(mark(text));
    let there = |text: &str| project.debian("there").builder(ec2()).layer(mark(text));
    let both = |text: &str| Document::new("shop").image(here(text)).image(there(text));
    let run = |text: &str, args: &[&str]| {
        project.run_on(&both(text), &[args, &["--format", "json"]].concat()).done()
    };
    let builders = |ran: &Ran, event: &str| -> BTreeSet<String> {
        told(ran, event, "builder").into_iter().collect()
    };
    let updated = run("one", &["update"]);
    assert_eq!(builders(&updated, "image"), set(["ec2", "sandbox"]));
    assert_eq!(builders(&updated, "baked"), set(["ec2", "sandbox"]));
    let baked = run("two", &["bake", "--locked"]);
    assert_eq!(builders(&baked, "built"), set(["ec2", "sandbox"]));
    // A layer each, and the AMI.
    assert_eq!(baked.counts(), (3, 2, 0));
    assert_eq!(run("two", &["bake", "--locked"]).counts(), (0, 5, 0));
    assert_eq!(lab.instances(), [""; 0]);
}
