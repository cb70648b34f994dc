use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        image: web(),
        target: ec2 { region: "eu-west-1", region: "eu-west-1" },
        replicas: { min: 1, min: 2 },
        health: tcp { port: 80, port: 80 },
        ports: [80],
        health: tcp,
        tags: { team: "web", team: "shop" },
    }
}

fn main() {}
