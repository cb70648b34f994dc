use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { path: "healthz", status: 500, healthy: 1, unhealthy: 11 },
        strategy: red_black { keep_previous: 11 },
    }
}

deployment! {
    pub staging {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { path: "http://localhost/healthz" },
        strategy: rolling { step: 0 },
    }
}

fn main() {}
