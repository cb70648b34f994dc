use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec { region: "eu-west-1" },
        ports: [80],
        health: htpp { path: "/" },
        strategy: blue_green,
        load_balancer: alb { listen: 80 },
    }
}

deployment! {
    pub staging {
        image: web(),
        target: cloud,
        health: https,
        strategy: all_at_once {},
        load_balancer: gateway,
    }
}

deployment! {
    pub without_a_colon {
        image: web(),
        target ec2 { region: "eu-west-1" },
    }
}

fn main() {}
