use super::*;
use crate::deploy::check::Check;
use aws_sdk_elasticloadbalancingv2::types::{Matcher, ProtocolEnum, TargetGroup};
use kiln::{
    Ec2Target, Health, HealthCheck, LoadBalancerKind, Origin, Replicas, Strategy, TargetNode,
};
use std::collections::BTreeMap;

fn origin() -> Origin {
    Origin { file: "a.rs".into(), line: 1, column: 1 }
}

fn web() -> DeploymentNode {
    DeploymentNode {
        name: "web".into(),
        doc: String::new(),
        origin: origin(),
        image: 0,
        target: TargetNode::Ec2(Ec2Target {
            origin: origin(),
            region: Some("eu-west-1".into()),
            instance_type: "t3.micro".into(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            instance_profile: None,
            volume: None,
            user_data: None,
            public_address: None,
        }),
        replicas: Replicas { min: 1, desired: 2, max: 3 },
        ports: vec![8080, 80],
        health: None,
        strategy: Strategy::RedBlack { keep_previous: 1 },
        load_balancer: Some(LoadBalancer::Made(balancer())),
        tags: BTreeMap::new(),
    }
}

fn balancer() -> NewLoadBalancer {
    NewLoadBalancer {
        origin: origin(),
        kind: LoadBalancerKind::Application,
        listen: 80,
        to: 8080,
        certificate: None,
        internal: false,
        subnets: Vec::new(),
        from: vec!["0.0.0.0/0".into()],
        drain_ms: 1500,
    }
}

pub(in crate::deploy) fn balanced(change: impl FnOnce(&mut NewLoadBalancer)) -> DeploymentNode {
    let mut made = balancer();
    change(&mut made);
    DeploymentNode { load_balancer: Some(LoadBalancer::Made(made)), ..web() }
}

fn aimed(change: impl FnOnce(&mut Ec2Target)) -> DeploymentNode {
    let mut web = web();
    let TargetNode::Ec2(target) = &mut web.target;
    change(target);
    web
}

fn text(traits: &Traits) -> String {
    traits.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[test]
fn what_is_left_unsaid_is_told_in_words() {
    assert_eq!(
        text(&launch(&web(), "ami-1")),
        "image: ami-1\n\
         instance_type: t3.micro\n\
         metadata: with a token only\n\
         security_groups: its own\n\
         subnets: those of the default VPC\n\
         volume: as the image's\n"
    );
    assert_eq!(
        text(&front(&web())),
        "balancer_subnets: those of the default VPC\n\
         drain: 2 s\n\
         forwards_to: port 8080\n\
         from: 0.0.0.0/0\n\
         health_check: HTTP / answers 200-499 within 5 s, every 10 s; in after 2, out after 2\n\
         listener: HTTP 80\n\
         load_balancer: application, on the internet\n\
         ports: 80, 8080\n"
    );
}

#[test]
fn whatever_servers_start_with_moves_the_launch_traits_and_nothing_else() {
    let was = declared(&web(), "ami-1");
    let changes: [fn(&mut Ec2Target); 7] = [
        |target| target.instance_type = "t3.small".into(),
        |target| target.subnets = vec!["subnet-1".into()],
        |target| target.security_groups = vec!["sg-1".into()],
        |target| target.instance_profile = Some("web".into()),
        |target| target.volume = Some(Volume::new()),
        |target| target.user_data = Some("#!/bin/sh\n".into()),
        |target| target.public_address = Some(false),
    ];
    for change in changes {
        let now = declared(&aimed(change), "ami-1");
        assert_ne!(now.launch, was.launch);
        assert_eq!(now.running, was.running);
    }
    assert_ne!(declared(&web(), "ami-2").launch, was.launch);
    // An order that does not matter, and what is no business of the servers.
    let two = |ids: [&str; 2]| {
        declared(&aimed(|target| target.subnets = ids.map(Into::into).to_vec()), "ami-1")
    };
    assert_eq!(two(["subnet-1", "subnet-2"]), two(["subnet-2", "subnet-1"]));
    // Servers that nobody has placed start where their load balancer is.
    let placed = |subnets: &[&str]| {
        declared(
            &balanced(|made| made.subnets = subnets.iter().map(|id| (*id).into()).collect()),
            "ami-1",
        )
    };
    assert_ne!(placed(&["subnet-1", "subnet-2"]).launch, placed(&["subnet-1"]).launch);
    let other = DeploymentNode { replicas: Replicas { min: 5, desired: 5, max: 5 }, ..web() };
    assert_eq!(declared(&other, "ami-1"), was);
}

#[test]
fn whatever_stands_before_servers_moves_the_front_and_rolls_nothing() {
    let was = declared(&web(), "ami-1");
    let changes: [fn(&mut NewLoadBalancer); 7] = [
        |made| made.kind = LoadBalancerKind::Network,
        |made| made.listen = 81,
        |made| made.to = 80,
        |made| made.certificate = Some("arn:aws:acm:x".into()),
        |made| made.internal = true,
        |made| made.from = vec!["10.0.0.0/8".into()],
        |made| made.drain_ms = 60_000,
    ];
    for change in changes {
        let now = declared(&balanced(change), "ami-1");
        assert_ne!(now.front, was.front);
        assert_eq!(now.launch, was.launch);
    }
    // Of servers that stand where they were told to.
    let placed = |of: NewLoadBalancer| {
        let mut web = aimed(|target| target.subnets = vec!["subnet-1".into(), "subnet-2".into()]);
        web.load_balancer = Some(LoadBalancer::Made(of));
        declared(&web, "ami-1")
    };
    let named = NewLoadBalancer { subnets: vec!["subnet-3".into()], ..balancer() };
    let (was, now) = (placed(balancer()), placed(named));
    assert_ne!(now.front, was.front);
    assert_eq!(now.launch, was.launch);
    let none = DeploymentNode { load_balancer: None, ..web() };
    assert_eq!(text(&front(&none)), "ports: 80, 8080\n");
}

#[test]
fn tags_are_what_can_change_while_servers_run() {
    let tags = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    let tagged = declared(&DeploymentNode { tags, ..web() }, "ami-1");
    assert_eq!(text(&tagged.running), "tag Name: web\ntag team: shop\n");
    assert_eq!(tagged.launch, declared(&web(), "ami-1").launch);
}

#[test]
fn user_data_is_told_by_its_digest_only() {
    let secret = aimed(|target| target.user_data = Some("password=hunter2".into()));
    let told = text(&launch(&secret, "ami-1"));
    assert!(told.contains("user_data: 16 bytes, ") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_long_value_fits_into_a_tag_and_still_tells_lists_apart() {
    let many = |last: &str| {
        let mut ids: Vec<String> = (0..40).map(|number| format!("subnet-{number:017}")).collect();
        ids.push(last.into());
        launch(&aimed(|target| target.subnets = ids), "ami-1")["subnets"].clone()
    };
    assert!(many("subnet-x").chars().count() <= 256);
    assert_ne!(many("subnet-x"), many("subnet-y"));
}

#[test]
fn a_check_that_aws_does_not_take_is_the_nearest_that_it_takes() {
    let health = Health {
        origin: origin(),
        check: HealthCheck::Http { port: 80, path: "/healthz".into(), status: 204 },
        interval_ms: 1000,
        timeout_ms: 9000,
        healthy: 1,
        unhealthy: 99,
        within_ms: 1,
        soak_ms: 0,
    };
    let web = DeploymentNode { health: Some(health), ..web() };
    let check = Check::declared(&web, &balancer());
    assert_eq!(
        check.to_string(),
        "HTTP on port 80 /healthz answers 204 within 4 s, every 5 s; in after 2, out after 10"
    );
    let group = TargetGroup::builder()
        .port(8080)
        .health_check_protocol(ProtocolEnum::Http)
        .health_check_port(check.port())
        .health_check_path("/healthz")
        .matcher(Matcher::builder().http_code("204").build())
        .health_check_interval_seconds(5)
        .health_check_timeout_seconds(4)
        .healthy_threshold_count(2)
        .unhealthy_threshold_count(10)
        .build();
    assert_eq!(Check::observed(&group), check);
}
