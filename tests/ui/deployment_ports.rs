use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [0, 80, 65536, 80, "443"],
    }
}

deployment! {
    pub out_of_range {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { port: 65536 },
        load_balancer: application { listen: 0, to: 70000 },
    }
}

deployment! {
    pub none { image: web(), target: ec2, ports: [] }
}

deployment! {
    pub no_list { image: web(), target: ec2, ports: 80 }
}

fn main() {}
