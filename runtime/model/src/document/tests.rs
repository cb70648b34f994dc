use crate::prelude::*;
use crate::{Ami, BaseNode, BuilderNode, Ec2, Op};

fn base() -> Image {
    Image::new("base", "/r")
        .base(debian("bookworm"))
        .layer(Layer::new("env").step(step::env([("A", "1")])))
}

#[test]
fn a_shared_base_is_one_image() {
    let web = || Image::new("web", "/r").base(base());
    let api = Image::new("api", "/r").base(base());
    let document = Document::new("shop").image(web()).image(api).image(base());
    let names: Vec<_> = document.images().iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["base", "web", "api"]);
    assert_eq!(document.images()[2].base, BaseNode::Image(0));
    assert_eq!(document.problems(), []);
}

#[test]
fn a_command_sees_the_environment_set_before_it() {
    let web = Image::new("web", "/r")
        .base(base())
        .layer(Layer::new("l").step(step::run("x").env([("A", "2")])).step(step::run("y")));
    let document = Document::new("shop").image(web);
    let ops: Vec<_> = document.images()[1].layers[0].steps.iter().map(|s| &s.ops[0]).collect();
    let seen: Vec<_> = ops
        .iter()
        .map(|op| match op {
            Op::Exec(exec) => exec.env["A"].as_str(),
            _ => "no command",
        })
        .collect();
    assert_eq!(seen, ["2", "1"]);
}

#[test]
fn all_mistakes_are_noted_at_once_with_their_origins() {
    let image = Image::new("we b", "/r")
        .layer(Layer::new("a"))
        .layer(Layer::new("a").step(step::user("Root")))
        .test(Test::new("t").status(200));
    let document = Document::new("shop").image(image);
    let messages: Vec<_> = document.problems().iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "malformed name `we b`",
            "image `we b` has no `base`",
            "layer `a` has no steps",
            "image `we b` has two layers named `a`",
            "malformed user or group name `Root`",
            "`status` without `http` in test `t`",
            "test `t` checks nothing",
        ]
    );
    assert!(document.problems().iter().all(|p| p.origin.file.ends_with("document/tests.rs")));
}

#[test]
fn a_malformed_name_of_the_project_is_a_problem_where_it_stands() {
    let (line, document) = (line!(), Document::new("My Shop").image(base()));
    let [problem] = document.problems() else { panic!("{:#?}", document.problems()) };
    assert_eq!(problem.message, "malformed project name `My Shop`");
    assert!(problem.origin.file.ends_with("document/tests.rs"), "{}", problem.origin);
    assert_eq!(problem.origin.line, line);
    assert!(problem.help.is_some());
}

#[test]
fn a_document_survives_the_pipe() {
    let document = Document::new("shop").image(base());
    let text = serde_json::to_string(&document).unwrap();
    let read: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(read.images(), document.images());
    assert_eq!(read.project(), "shop");
}

fn builder(document: &Document, name: &str) -> Option<Ec2> {
    let image = document.images().iter().find(|image| image.name == name).unwrap();
    image.builder.clone().map(|BuilderNode::Ec2(ec2)| ec2)
}

#[test]
fn an_image_is_baked_where_its_base_image_is_unless_it_says() {
    let base = || base().builder(ec2().region("eu-west-1").instance_type("t4g.small"));
    let same = Image::new("same", "/r").base(base());
    let larger = Image::new("larger", "/r").base(base()).builder(ec2().instance_type("m7g.large"));
    let document = Document::new("shop").image(same).image(larger);
    assert_eq!(document.problems(), []);
    assert_eq!(builder(&document, "same"), builder(&document, "base"));
    let larger = builder(&document, "larger").unwrap();
    assert_eq!(larger.region.as_deref(), Some("eu-west-1"));
    assert_eq!(larger.instance_type.as_deref(), Some("m7g.large"));
    assert!(document.names_ec2());
}

#[test]
fn what_starts_from_an_ami_is_baked_on_ec2_without_saying() {
    let start = ami("ami-0123456789abcdef0");
    let origin = start.origin.clone();
    let document = Document::new("shop").image(Image::new("web", "/r").base(start));
    assert_eq!(document.problems(), []);
    assert_eq!(builder(&document, "web").map(|ec2| ec2.origin), Some(origin));
    assert!(document.names_ec2());
    assert!(!Document::new("shop").image(base()).names_ec2());
}

#[test]
fn an_image_whose_base_image_is_of_another_architecture_is_a_problem_with_both_places() {
    let there = ec2().instance_type("t3.small");
    let here = ec2().instance_type("t4g.small");
    let (at, of_base) = (here.origin.clone(), there.origin.clone());
    let web = Image::new("web", "/r").base(base().builder(there)).builder(here);
    let document = Document::new("shop").image(web);
    let [problem] = document.problems() else { panic!("{:#?}", document.problems()) };
    assert_eq!(problem.origin, at);
    assert_eq!(
        problem.message,
        format!(
            "`t4g.small` is arm64, but its base image `base` is baked on `t3.small`, which is amd64 ({of_base})"
        )
    );
}

#[test]
fn malformed_amis_are_noted() {
    let image = |name: &str, base: Ami| Image::new(name, "/r").base(base);
    let document = Document::new("shop")
        .image(image("a", ami("ami-1")))
        .image(image("b", ami_parameter("/a//b")))
        .image(image("c", newest_ami("debian", "*")));
    let messages: Vec<_> = document.problems().iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "malformed AMI `ami-1`",
            "malformed parameter name `/a//b`",
            "unknown owner `debian`",
            "`*` fits every AMI of the owner",
        ]
    );
}

#[test]
fn what_bakes_and_where_it_starts_survive_the_pipe() {
    let web = Image::new("web", "/r")
        .base(newest_ami("136693071363", "debian-12-amd64-*"))
        .builder(ec2().region("eu-west-1"))
        .layer(Layer::new("kernel").step(step::reboot()));
    let document = Document::new("shop").image(web);
    let text = serde_json::to_string(&document).unwrap();
    let read: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(read.images(), document.images());
    assert!(text.contains(r#""builder":{"ec2":{"#), "{text}");
    assert!(text.contains(r#""source":{"newest":{"owner":"136693071363""#), "{text}");
}
