use crate::prelude::*;
use crate::{
    DeploymentNode, HealthCheck, LoadBalancer, LoadBalancerKind, Problem, Replicas, Strategy,
    TargetNode,
};

const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/1a2b3c";

fn web() -> Image {
    Image::new("web", "/r").base(debian("bookworm"))
}

fn production() -> Deployment {
    Deployment::new("production").image(web()).target(target::ec2()).ports([80])
}

fn only(document: &Document) -> &DeploymentNode {
    assert_eq!(document.problems(), []);
    let [deployment] = document.deployments() else { panic!("{:#?}", document.deployments()) };
    deployment
}

fn node(deployment: Deployment) -> DeploymentNode {
    only(&Document::new("shop").deployment(deployment)).clone()
}

fn messages(deployment: Deployment) -> Vec<String> {
    let document = Document::new("shop").deployment(deployment);
    document.problems().iter().map(|problem| problem.message.clone()).collect()
}

#[test]
fn everything_said_is_kept_and_survives_the_pipe() {
    let said = Deployment::new("production")
        .doc("The shop.")
        .image(web().builder(ec2().region("eu-west-1").instance_type("t4g.small")))
        .target(
            target::ec2()
                .region("eu-west-1")
                .instance_type("t4g.micro")
                .subnets(["subnet-0a1b2c3d", "subnet-1a1b2c3d"])
                .security_groups(["sg-0a1b2c3d"])
                .instance_profile("web")
                .volume(Volume::new().size(16))
                .user_data("#cloud-config\n")
                .public_address(true),
        )
        .replicas(ReplicaBounds::new().min(2).desired(3).max(6))
        .ports([80, 443])
        .health(
            health::http()
                .port(80)
                .path("/healthz")
                .status(204)
                .interval("20s")
                .timeout("4s")
                .healthy(3)
                .unhealthy(4)
                .within("10m")
                .soak("30s"),
        )
        .strategy(strategy::rolling().step(2))
        .load_balancer(
            load_balancer::application()
                .listen(8443)
                .to(443)
                .certificate(CERTIFICATE)
                .internal(true)
                .subnets(["subnet-2a1b2c3d", "subnet-3a1b2c3d"])
                .from(["10.0.0.0/8"])
                .drain("0s"),
        )
        .tags([("team", "web")]);
    let document = Document::new("shop").deployment(said);
    let text = serde_json::to_string(&document).unwrap();
    let read: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(read.deployments(), document.deployments());
    let node = only(&document);
    assert_eq!((node.name.as_str(), node.doc.as_str()), ("production", "The shop."));
    assert_eq!(node.replicas, Replicas { min: 2, desired: 3, max: 6 });
    assert_eq!(node.strategy, Strategy::Rolling { step: 2 });
    let health = node.health.as_ref().unwrap();
    assert_eq!((health.interval_ms, health.timeout_ms), (20_000, 4_000));
    assert_eq!((health.healthy, health.unhealthy), (3, 4));
    assert_eq!((health.within_ms, health.soak_ms), (600_000, 30_000));
    assert_eq!(health.check, HealthCheck::Http { port: 80, path: "/healthz".into(), status: 204 });
    let Some(LoadBalancer::Made(made)) = &node.load_balancer else { panic!("no load balancer") };
    assert_eq!((made.listen, made.to, made.drain_ms), (8443, 443, 0));
    assert_eq!(made.from, ["10.0.0.0/8"]);
    assert!(made.internal && made.certificate.is_some() && made.subnets.len() == 2);
    let TargetNode::Ec2(target) = &node.target;
    assert_eq!(target.public_address, Some(true));
    assert_eq!(node.tags["team"], "web");
}

#[test]
fn what_is_unsaid_is_what_users_of_ec2_expect() {
    let node =
        node(production().health(health::http()).load_balancer(load_balancer::application()));
    assert_eq!(node.replicas, Replicas { min: 1, desired: 1, max: 1 });
    assert_eq!(node.strategy, Strategy::RedBlack { keep_previous: 1 });
    let TargetNode::Ec2(target) = &node.target;
    assert_eq!((target.region.as_deref(), target.instance_type.as_str()), (None, "t3.micro"));
    let health = node.health.unwrap();
    assert_eq!(health.check, HealthCheck::Http { port: 80, path: "/".into(), status: 200 });
    assert_eq!((health.interval_ms, health.timeout_ms), (10_000, 5_000));
    assert_eq!((health.healthy, health.unhealthy), (2, 2));
    assert_eq!((health.within_ms, health.soak_ms), (300_000, 0));
    let Some(LoadBalancer::Made(made)) = node.load_balancer else { panic!("no load balancer") };
    assert_eq!((made.kind, made.listen, made.to), (LoadBalancerKind::Application, 80, 80));
    assert_eq!((made.from, made.drain_ms), (vec!["0.0.0.0/0".to_owned()], 30_000));
}

#[test]
fn ports_follow_from_certificate_and_health_check() {
    let made = |deployment: Deployment| match node(deployment).load_balancer {
        Some(LoadBalancer::Made(made)) => (made.listen, made.to),
        other => panic!("{other:#?}"),
    };
    let two = || production().ports([80, 8080]);
    let secured = load_balancer::network().certificate(CERTIFICATE);
    assert_eq!(made(production().load_balancer(secured)), (443, 80));
    let checked = two().health(health::tcp().port(8080));
    assert_eq!(made(checked.clone().load_balancer(load_balancer::network())), (80, 8080));
    assert_eq!(made(checked.load_balancer(load_balancer::network().to(80))), (80, 80));
    assert_eq!(
        messages(two().health(health::tcp()).load_balancer(load_balancer::network().to(22))),
        [
            "the health check has no port",
            "the load balancer asks for port `22`, which nobody declares",
        ]
    );
    assert_eq!(
        messages(production().ports([]).load_balancer(load_balancer::network())),
        ["the load balancer has no port"]
    );
}

#[test]
fn all_mistakes_are_noted_at_once_with_their_origins() {
    let target = target::ec2()
        .region("eu-wset-1")
        .instance_type("t3.smal")
        .subnets(["default"])
        .security_groups(["web"])
        .instance_profile("a b")
        .user_data("x".repeat(20_000))
        .volume(Volume::new().size(0));
    let health = health::http()
        .port(22)
        .path("healthz")
        .status(500)
        .interval("1s")
        .timeout("1m")
        .healthy(1)
        .unhealthy(11)
        .within("soon")
        .soak("5");
    let balancer = load_balancer::application()
        .to(22)
        .certificate(GROUP)
        .subnets(["vpc"])
        .from(["10.0.0.1/8"])
        .drain("2h");
    let origins = [target.origin.clone(), target.origin.clone()];
    let wrong = Deployment::new("pro duction")
        .image(web())
        .target(target)
        .replicas(ReplicaBounds::new().min(3).max(2))
        .ports([80, 80, 0])
        .health(health)
        .strategy(strategy::red_black().keep_previous(11))
        .load_balancer(balancer)
        .tags([("aws:x", "y"), ("z", "\n")]);
    let document = Document::new("shop").deployment(wrong);
    let messages: Vec<_> = document.problems().iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages.len(), 28, "{messages:#?}");
    let file = |problem: &Problem| problem.origin.file.ends_with("deployment/tests.rs");
    assert!(document.problems().iter().all(file));
    let at_target = document.problems().iter().filter(|p| p.origin == origins[0]).count();
    assert_eq!(at_target, 7, "{:#?}", document.problems());
}

#[test]
fn a_deployment_needs_an_image_and_a_target() {
    assert_eq!(
        messages(Deployment::new("empty")),
        ["deployment `empty` has no `target`", "deployment `empty` has no `image`"]
    );
    assert_eq!(
        messages(production().load_balancer(load_balancer::target_group())),
        ["the target group has no `arn`"]
    );
}

#[test]
fn servers_start_from_an_image_of_their_region_and_processor() {
    let there = ec2().region("eu-west-1").instance_type("m7a.large").volume(Volume::new().size(16));
    let at = there.origin.clone();
    let here =
        target::ec2().region("us-east-1").instance_type("c7g.large").volume(Volume::new().size(8));
    let production = production().image(web().builder(there)).target(here);
    assert_eq!(
        messages(production),
        [
            format!("runs in `us-east-1`, but its image `web` is baked in `eu-west-1` ({at})"),
            format!(
                "`c7g.large` is arm64, but its image `web` is baked on `m7a.large`, which is amd64 ({at})"
            ),
            format!("a volume of 8 GiB is smaller than the 16 GiB of its image `web` ({at})"),
        ]
    );
    // One that says nothing of it is baked for what it runs on.
    for image in [web(), web().builder(ec2().subnet("subnet-0a1b2c3d"))] {
        let target = target::ec2().region("eu-west-1").instance_type("c7g.large");
        assert_eq!(messages(self::production().image(image).target(target)), [""; 0]);
    }
}

#[test]
fn what_an_image_takes_from_its_base_counts_too() {
    let base = Image::new("base", "/r").base(debian("bookworm"));
    let base = base.builder(ec2().region("eu-west-1"));
    let image = Image::new("web", "/r").base(base);
    let elsewhere = production().image(image).target(target::ec2().region("eu-west-2"));
    assert_eq!(messages(elsewhere).len(), 1);
}

#[test]
fn a_foreign_target_group_lies_where_the_servers_do() {
    let group = || production().load_balancer(load_balancer::target_group().arn(GROUP));
    let Some(LoadBalancer::TargetGroup { arn, .. }) = node(group()).load_balancer else {
        panic!("no target group");
    };
    assert_eq!(arn, GROUP);
    let elsewhere = group().target(target::ec2().region("eu-west-2"));
    assert_eq!(messages(elsewhere).len(), 1);
    let unsaid = production().load_balancer(load_balancer::target_group().arn(CERTIFICATE));
    assert_eq!(messages(unsaid), [format!("`{CERTIFICATE}` is not the ARN of a target group")]);
}

#[test]
fn an_application_load_balancer_stands_in_two_subnets() {
    let one = || production().target(target::ec2().subnets(["subnet-0a1b2c3d"]));
    assert_eq!(messages(one().load_balancer(load_balancer::application())).len(), 1);
    assert_eq!(messages(one().load_balancer(load_balancer::network())), [""; 0]);
    let own = load_balancer::application().subnets(["subnet-0a1b2c3d", "subnet-1a1b2c3d"]);
    assert_eq!(messages(one().load_balancer(own)), [""; 0]);
}

#[test]
fn several_deployments_of_one_image_have_it_once() {
    let regions = ["eu-west-1", "us-east-1", "ap-south-1"];
    let mut document = Document::new("shop");
    for region in regions {
        let one = production().named(format!("production-{region}"));
        document = document.deployment(one.target(target::ec2().region(region)));
    }
    let document = document.deployment(production()).deployment(production()).image(web());
    assert_eq!(document.problems(), []);
    assert_eq!(document.images().len(), 1);
    assert_eq!(document.deployments().len(), 4);
    assert!(!document.names_ec2());
    let (images, deployments) = document.into_parts();
    assert!(deployments.iter().all(|deployment| images[deployment.image].name == "web"));
}

#[test]
fn a_name_is_that_of_one_thing() {
    let named = |name: &str| production().named(name);
    let other = named("production").replicas(2);
    let document = Document::new("shop").deployment(named("production")).deployment(other);
    let [problem] = document.problems() else { panic!("{:#?}", document.problems()) };
    assert_eq!(problem.message, "two different deployments are named `production`");
    let both = "an image and a deployment are both named `web`";
    assert_eq!(messages(named("web")), [both]);
    let later = named("api").image(web().named("other"));
    let document = Document::new("shop").deployment(later).image(web().named("api"));
    let [problem] = document.problems() else { panic!("{:#?}", document.problems()) };
    assert_eq!(problem.message, both.replace("web", "api"));
}
