use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "eu-wset-1", instance_type: "t3.mirco" },
        replicas: { min: 3, max: 2 },
        ports: [80, 80],
        health: http { port: 8080, interval: "often" },
        strategy: rolling { keep_previous: 1 },
        load_balancer: application { to: 81, from: ["all"] },
        tag: { team: "web" },
    }
}

fn main() {}
