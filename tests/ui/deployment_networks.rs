use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [80],
        load_balancer: application {
            from: ["10.0.0.0/33", "10.1.2.3/8", "192.0.2.7", "everybody", "2001:db8::/129"],
        },
    }
}

deployment! {
    pub by_hand {
        image: web(),
        target: ec2,
        ports: [80],
        load_balancer: load_balancer::network().from(["10.0.0/8"]),
    }
}

deployment! {
    pub shouted {
        image: web(),
        target: ec2,
        ports: [80],
        load_balancer: application { from: ["2001:DB8::/32"] },
    }
}

fn main() {}
