//! An origin is the user's own token: what every later message of the tool points at.

use kiln::prelude::*;

image! {
    /// Positions are found again in this very file.
    marked {
        base: debian("bookworm"),
        layer first {
            apt: ["nginx"] { recommends: false },
            copy: "ui/inputs/site" => "/srv/www" { mode: 0o644 },
        }
        layer second { run: "true", file: "/etc/motd" { content: "hi" },
            env: { A: "1" }, step: step::service("nginx") }
        test opens { tcp: 80 }
    }
}

deployment! {
    /// So are those of a deployment.
    running {
        image: marked(), target: ec2 { region: "eu-west-1" },
        ports: [80], replicas: { min: three(), max: 2 },
        health: http { path: "/" }, strategy: rolling { step: zero() },
        load_balancer: application { listen: 80 }, tags: [(key(), "x")],
    }
}

fn three() -> u32 {
    3
}

fn zero() -> u32 {
    0
}

fn key() -> &'static str {
    "aws:x"
}

/// What stands in this file at an origin.
fn at(origin: &kiln::Origin) -> &'static str {
    let source = include_str!("origins.rs");
    assert_eq!(origin.file, file!());
    let line = source.lines().nth(origin.line as usize - 1).expect("a line of this file");
    &line[origin.column as usize - 1..]
}

#[test]
fn every_origin_is_the_users_token() {
    let document = Document::new("shop").image(marked());
    assert_eq!(document.problems(), []);
    let image = &document.images()[0];
    assert!(at(&image.origin).starts_with("marked {"));
    let kiln::BaseNode::Debian(base) = &image.base else { panic!("another base") };
    assert!(at(&base.origin).starts_with("debian(\"bookworm\")"));
    let layers: Vec<_> = image.layers.iter().map(|layer| at(&layer.origin)).collect();
    assert!(layers[0].starts_with("first {") && layers[1].starts_with("second {"), "{layers:?}");
    assert!(at(&image.tests[0].origin).starts_with("opens {"));
    let steps: Vec<_> =
        image.layers.iter().flat_map(|layer| &layer.steps).map(|step| at(&step.origin)).collect();
    let starts =
        ["apt: [", "copy: \"", "run: \"", "file: \"", "env: {", "step::service(\"nginx\")"];
    assert_eq!(steps.len(), starts.len());
    for (step, start) in steps.iter().zip(starts) {
        assert!(step.starts_with(start), "{step:?} does not start with {start:?}");
    }
}

#[test]
fn every_origin_of_a_deployment_is_the_users_token() {
    let document = Document::new("shop").deployment(running());
    let deployment = &document.deployments()[0];
    assert!(at(&deployment.origin).starts_with("running {"));
    let kiln::TargetNode::Ec2(target) = &deployment.target;
    assert!(at(&target.origin).starts_with("ec2 { region"));
    assert!(at(&deployment.health.as_ref().unwrap().origin).starts_with("http { path"));
    let Some(kiln::LoadBalancer::Made(made)) = &deployment.load_balancer else {
        panic!("another load balancer")
    };
    assert!(at(&made.origin).starts_with("application { listen"));
    let problems: Vec<_> = document.problems().iter().map(|problem| at(&problem.origin)).collect();
    let starts = ["replicas: {", "strategy: rolling", "tags: [(key"];
    assert_eq!(problems.len(), starts.len(), "{:#?}", document.problems());
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem:?} does not start with {start:?}");
    }
}
