//! Where images are built: at each place where they are deployed, else where themselves or the environment say.

use crate::cases::Case;
use crate::host::Project;
use kiln::prelude::*;
use serde_json::Value;

pub const ALL: &[Case] = &[
    ("an_image_is_planned_at_each_place_where_it_is_deployed", deployed),
    ("an_image_that_a_deployed_one_stands_on_goes_where_that_goes", below),
    ("images_of_two_builders_are_planned_in_one_command", builders),
    ("what_a_layer_is_built_from_is_explained_for_each_place", explained),
    ("gc_looks_at_all_places_and_wants_what_each_would_find", garbage),
    ("servers_of_two_architectures_in_a_region_start_from_images_of_their_own", two_kinds),
    ("what_keeps_a_bake_from_starting_at_one_place_keeps_it_from_starting", unlocked),
];

/// A deployment of an image in a region, on servers of a type.
fn run(name: &str, image: Image, region: &str, kind: &str) -> Deployment {
    let servers = target::ec2().region(region).instance_type(kind);
    Deployment::new(name).image(image).target(servers).replicas(1)
}

/// One image at three places.
fn three(project: &Project) -> Document {
    let web = || project.image("hello");
    Document::new("shop")
        .deployment(run("eu", web(), "eu-west-1", "t3.micro"))
        .deployment(run("arm", web(), "eu-west-1", "t4g.micro"))
        .deployment(run("us", web(), "us-east-1", "t3.micro"))
        .deployment(run("too", web(), "us-east-1", "t3.small"))
}

/// How people tell these places.
const SHOWN: [&str; 3] = ["eu-west-1 amd64", "eu-west-1 arm64", "us-east-1"];

/// Each node as place, architecture and name.
fn nodes(plan: &Value) -> Vec<String> {
    let nodes = plan["nodes"].as_array().unwrap().iter();
    let word = |node: &Value, name: &str| node[name].as_str().unwrap_or("-").to_owned();
    let shown = |node: &Value| {
        let words = ["builder", "place", "architecture", "image", "layer"];
        words.map(|name| word(node, name)).join(" ")
    };
    nodes.map(shown).collect()
}

fn deployed() {
    let mut project = Project::new();
    let args = ["plan", "web", "--builder", "ec2"];
    let plan = project.run(three(&project), &[&args[..], &["--format", "json"]].concat()).ended(0);
    let plan = plan.json();
    let layers = ["base", "site", "image"];
    let places = ["eu-west-1 amd64", "eu-west-1 arm64", "us-east-1 amd64"];
    let all = places
        .iter()
        .flat_map(|place| layers.iter().map(move |layer| format!("ec2 {place} web {layer}")));
    assert_eq!(nodes(&plan), all.collect::<Vec<_>>());
    assert_eq!((&plan["build"], &plan["cached"]), (&0.into(), &9.into()));
    project.nothing_is_baked = true;
    let text = project.run(three(&project), &args).ended(0).stdout;
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("web")).collect();
    assert_eq!(headings, SHOWN.map(|place| format!("web in {place}")), "{text}");
    assert!(text.ends_with("Plan: 9 to build, 0 cached.\n"), "{text}");
    // What no deployment uses is built where the environment says, by the same command.
    let alone = Image::new("alone", "/").base(scratch());
    let args = ["plan", "web", "alone", "--builder", "ec2", "--format", "json"];
    let plan = project.run(three(&project).image(alone), &args).ended(0).json();
    let places = nodes(&plan).into_iter().filter(|node| node.contains("alone"));
    assert_eq!(
        places.collect::<Vec<_>>(),
        ["ec2 eu-west-1 amd64 alone base", "ec2 eu-west-1 amd64 alone image"]
    );
}

fn below() {
    let project = Project::new();
    let system = || Image::new("system", "/").base(scratch());
    let web = Image::new("web", "/").base(system());
    let document =
        Document::new("shop").image(system()).deployment(run("us", web, "us-east-1", "t4g.micro"));
    let args = ["plan", "system", "--builder", "ec2", "--format", "json"];
    let plan = project.run(document, &args).ended(0).json();
    assert_eq!(
        nodes(&plan),
        ["ec2 us-east-1 arm64 system base", "ec2 us-east-1 arm64 system image"]
    );
}

fn builders() {
    let project = Project::new();
    let there = Image::new("there", "/").base(scratch()).builder(ec2());
    let document = || Document::new("shop").image(project.image("x")).image(there.clone());
    let plan = project.run(document(), &["plan", "--format", "json"]).ended(0).json();
    let (here, there): (Vec<String>, Vec<String>) =
        nodes(&plan).into_iter().partition(|node| node.starts_with("sandbox - "));
    assert_eq!((here.len(), there.len()), (2, 2), "{plan:#}");
    assert!(there.iter().all(|node| node.starts_with("ec2 eu-west-1 amd64 there")), "{there:?}");
    let text = project.run(document(), &["plan"]).ended(0).stdout;
    assert!(text.contains("web in sandbox\n") && text.contains("there in eu-west-1\n"), "{text}");
}

fn explained() {
    let project = Project::new();
    let text = project.run(three(&project), &["explain", "web/site", "--builder", "ec2"]).ended(0);
    let places: Vec<&str> = text.stdout.lines().filter(|line| line.starts_with("in ")).collect();
    assert_eq!(places, SHOWN.map(|place| format!("in {place}:")));
    assert_eq!(text.stdout.matches("web/site is cached under").count(), 3, "{}", text.stdout);
}

fn garbage() {
    let project = Project::new();
    // What may have been baked where the environment says is wanted, too.
    let document = || {
        let alone = Image::new("alone", "/").base(scratch());
        let there = run("us", project.image("hello"), "us-east-1", "t3.micro");
        Document::new("shop").image(alone).deployment(there)
    };
    let said = |args: &[&str]| -> Vec<(String, String)> {
        let ran = project.run(document(), &[&["gc", "--format", "json"], args].concat()).ended(0);
        let word = |found: &Value, name: &str| found[name].as_str().unwrap().to_owned();
        let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.map(|found: Value| (word(&found, "place"), word(&found, "why"))).collect()
    };
    let pair = |place: &str, why: &str| (place.to_owned(), why.to_owned());
    let all = [pair("eu-west-1", "2 keys, 168 hours"), pair("us-east-1", "3 keys, 168 hours")];
    assert_eq!(said(&[]), all);
    let hours = said(&["--older-than", "12h"]).remove(0);
    assert_eq!(hours, pair("eu-west-1", "2 keys, 12 hours"));
    project.run(document(), &["gc", "--older-than", "a week"]).ended(64);
    let text = project.run(document(), &["gc"]).ended(0).stdout;
    assert!(text.contains("in eu-west-1:\n") && text.ends_with("\nNothing to remove.\n"), "{text}");
    // An AMI that the lock file names is wanted, whatever the recipes say today.
    let lock = "version = 2\n[[entry]]\nnode = \"base\"\nrequest = \"debian bookworm in us-east-1\"\n\
                builder = \"ec2\"\narchitecture = \"arm64\"\nimage = { id = \"ami-1\", name = \"x\" }\n";
    std::fs::write(project.path("kiln.lock"), lock).unwrap();
    let text = project.run(document(), &["gc"]).ended(0).stdout;
    assert_eq!(text.matches("ami-1").count(), 2, "{text}");
}

fn two_kinds() {
    let mut project = Project::new();
    let two = || {
        Document::new("shop")
            .deployment(run("intel", project.image("hello"), "eu-west-1", "t3.micro"))
            .deployment(run("arm", project.image("hello"), "eu-west-1", "t4g.micro"))
    };
    // The plan of both fits when it is carried out.
    project.run(two(), &["plan", "--out", "next.plan"]).ended(0);
    project.run(two(), &["deploy", "next.plan"]).ended(0);
    let world = project.world();
    let image = |name: &str| {
        let group = world.groups.iter().find(|group| group.deployment == name).unwrap();
        group.launch["image"].clone()
    };
    let plan = project.run(two(), &["plan", "--format", "json"]).ended(0).json();
    for (name, architecture) in [("intel", "amd64"), ("arm", "arm64")] {
        let nodes = plan["nodes"].as_array().unwrap().iter();
        let mut nodes = nodes.filter(|node| node["architecture"] == architecture);
        let baked = nodes.find(|node| node["layer"] == "image").unwrap();
        assert_eq!(baked["artifact"], image(name), "{name}");
    }
    assert_ne!(image("intel"), image("arm"));
    let quiet = project.run(two(), &["plan", "--detailed-exitcode"]).ended(0).stdout;
    assert!(quiet.ends_with("No changes: what runs is what is declared.\n"), "{quiet}");
    let document = two();
    project.nothing_is_baked = true;
    let text = project.run(document, &["plan"]).ended(0).stdout;
    for heading in ["web in eu-west-1 amd64\n", "web in eu-west-1 arm64\n"] {
        assert!(text.contains(heading), "{text}");
    }
}

fn unlocked() {
    let project = Project::new();
    let on = |name: &str, base: Image, region: &str| run(name, base, region, "t3.micro");
    let debian = Image::new("debian", "/").base(debian("bookworm"));
    let document = Document::new("shop")
        .deployment(on("eu", project.image("hello"), "eu-west-1"))
        .deployment(on("us", debian, "us-east-1"));
    let ran = project.run(document, &["bake", "--locked", "--builder", "ec2"]).ended(1);
    assert!(ran.stderr.contains("in us-east-1` in"), "{}", ran.stderr);
    // The builder of the other place was not even asked for.
    assert!(!ran.stderr.contains("nothing is baked here"), "{}", ran.stderr);
}
