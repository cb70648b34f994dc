use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: "eu-west-1",
        replicas: [3],
        ports: [80],
        health: "/healthz",
        strategy: 1,
        load_balancer: [80],
        tags: "web",
    }
}

fn main() {}
