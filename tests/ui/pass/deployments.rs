//! Everything that a deployment can say, by the macro and by hand.

use kiln::health::{Check, Kind};
use kiln::prelude::*;
use kiln::{Ec2Target, HealthCheck, LoadBalancer, Replicas, Strategy, TargetNode};

const REGION: &str = "eu-west-1";
const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-west-1", instance_type: "t4g.small" },
    }
}

image! {
    pub app(version: &str) {
        base: debian("bookworm"),
        layer version { file: "/etc/version" { content: version } }
    }
}

deployment! {
    /// The shop,
    /// as customers see it.
    pub production {
        image: web(),
        target: ec2 {
            region: "eu-west-1",
            instance_type: "t4g.micro",
            subnets: ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
            security_groups: ["sg-0a1b2c3d"],
            instance_profile: "web",
            volume: { size: 16 },
            user_data: "#cloud-config\n",
            public_address: true,
        },
        replicas: { min: 2, desired: 3, max: 6 },
        ports: [80, 443],
        health: http {
            port: 80,
            path: "/healthz",
            status: 200,
            interval: "10s",
            timeout: "5s",
            healthy: 2,
            unhealthy: 2,
            within: "5m",
            soak: "30s",
        },
        strategy: red_black { keep_previous: 1 },
        load_balancer: application {
            listen: 443,
            to: 443,
            internal: true,
            subnets: ["subnet-2a1b2c3d", "subnet-3a1b2c3d"],
            from: ["0.0.0.0/0", "2001:db8::/32"],
            certificate: "arn:aws:acm:eu-west-1:123456789012:certificate/1a2b3c",
            drain: "0s",
        },
        tags: { team: "web", "cost:center": "7" },
    }
}

deployment! { pub least { image: app("1"), target: ec2 } }

deployment! {
    pub others {
        image: app("1"),
        target: ec2,
        replicas: 0,
        ports: [5432],
        health: tcp,
        strategy: rolling,
        load_balancer: target_group { arn: GROUP },
    }
}

fn shared(region: &str) -> Ec2Target {
    target::ec2().region(region).instance_type("t3.small")
}

fn patient() -> impl Into<Check<Kind>> {
    health::tcp().within("1h")
}

fn either(warm: bool) -> Strategy {
    if warm { strategy::red_black().into() } else { strategy::rolling().step(2).into() }
}

deployment! {
    pub in_region(region: &str, count: u32, http: u16) {
        image: app("2").named("app-2"),
        target: shared(region) { public_address: false },
        replicas: count,
        ports: [http],
        health: health::http().path("/x") { port: http, interval: format!("{}s", 5) },
        strategy: strategy::rolling() { step: count },
        load_balancer: load_balancer::network().internal(true),
        tags: [("region", region)],
    }
}

deployment! {
    pub by_expressions(group: &str) {
        image: { app("3").named("app-3") },
        target: shared(REGION),
        replicas: { max: 4 },
        ports: [22],
        health: patient(),
        strategy: either(false),
        load_balancer: load_balancer::target_group() { arn: group },
    }
}

fn main() {
    let mut document =
        Document::new("shop").deployment(production()).deployment(least()).deployment(others());
    for region in ["eu-west-1", "us-east-1"] {
        let one = in_region(region, 2, 8080).named(format!("in-{region}"));
        document = document.deployment(one);
    }
    let document = document.deployment(by_expressions(GROUP));
    assert_eq!(document.problems(), []);
    let deployments = document.deployments();
    assert_eq!(deployments.len(), 6);
    assert_eq!(document.images().len(), 4);

    let production = &deployments[0];
    assert_eq!(production.doc, "The shop,\nas customers see it.");
    assert_eq!(production.replicas, Replicas { min: 2, desired: 3, max: 6 });
    assert_eq!(production.tags["cost:center"], "7");
    let TargetNode::Ec2(target) = &production.target;
    assert_eq!(target.volume.as_ref().and_then(|volume| volume.size), Some(16));
    assert_eq!(target.public_address, Some(true));
    let Some(LoadBalancer::Made(made)) = &production.load_balancer else { panic!() };
    assert_eq!((made.listen, made.to, made.drain_ms), (443, 443, 0));

    assert_eq!(deployments[1].strategy, Strategy::RedBlack { keep_previous: 1 });
    let health = deployments[2].health.as_ref().unwrap();
    assert_eq!(health.check, HealthCheck::Tcp { port: 5432 });
    assert_eq!(deployments[2].replicas.max, 0);

    assert_eq!(deployments[4].name, "in-us-east-1");
    assert_eq!(deployments[4].image, deployments[3].image);
    let health = deployments[3].health.as_ref().unwrap();
    assert_eq!(health.check, HealthCheck::Http { port: 8080, path: "/x".into(), status: 200 });
    assert_eq!((health.interval_ms, health.timeout_ms), (5000, 2000));
    assert_eq!(deployments[3].strategy, Strategy::Rolling { step: 2 });
    assert_eq!(deployments[5].replicas, Replicas { min: 1, desired: 1, max: 4 });
    assert_eq!(deployments[5].strategy, Strategy::Rolling { step: 2 });
}
