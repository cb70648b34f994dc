use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "eu-west-1" },
        ports: [80],
        load_balancer: target_group {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/0123456789abcdef",
        },
    }
}

deployment! {
    pub elsewhere {
        image: web(),
        target: ec2 { region: "eu-west-1" },
        ports: [80],
        load_balancer: target_group {
            arn: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef",
        },
    }
}

deployment! {
    pub secured {
        image: web(),
        target: ec2 { region: "eu-west-1" },
        ports: [80],
        load_balancer: application { certificate: "my-certificate" },
    }
}

deployment! {
    pub secured_elsewhere {
        image: web(),
        target: ec2 { region: "eu-west-1" },
        ports: [80],
        load_balancer: application { certificate: "arn:aws:acm:us-east-1:123456789012:certificate/1a2b" },
    }
}

fn main() {}
