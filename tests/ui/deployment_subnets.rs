use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { subnets: ["subnet-1", "vpc-0a1b2c3d"], security_groups: ["default"] },
        ports: [80],
        load_balancer: network { subnets: ["sg-0a1b2c3d"] },
    }
}

deployment! {
    pub in_one_zone {
        image: web(),
        target: ec2 { subnets: ["subnet-0a1b2c3d"] },
        ports: [80],
        load_balancer: application,
    }
}

deployment! {
    pub in_one_zone_of_its_own {
        image: web(),
        target: ec2,
        ports: [80],
        load_balancer: application { subnets: ["subnet-0a1b2c3d"] },
    }
}

deployment! {
    pub nowhere { image: web(), target: ec2 { subnets: [] } }
}

fn main() {}
