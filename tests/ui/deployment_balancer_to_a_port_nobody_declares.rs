use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [8080],
        load_balancer: application { listen: 80, to: 80 },
    }
}

deployment! {
    pub without_ports {
        image: web(),
        target: ec2,
        load_balancer: network { listen: 5432 },
    }
}

deployment! {
    pub which_one {
        image: web(),
        target: ec2,
        ports: [80, 443],
        load_balancer: application {},
    }
}

fn main() {}
