use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [80],
        health: tcp { path: "/healthz", status: 200 },
        strategy: red_black { keep_previous: 1, step: 2 },
        load_balancer: target_group {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef",
            listen: 80,
        },
    }
}

fn main() {}
