use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "eu-west-1", zone: "eu-west-1a", instance_typ: "t3.micro" },
        replica: 3,
        ports: [80],
        health: http { path: "/healthz", every: "10s" },
        load_balancer: application { lisen: 80 },
    }
}

fn main() {}
