use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: "web",
        target: web(),
        replicas: "3".len(),
        ports: [-1],
        health: strategy::rolling(),
        strategy: health::tcp(),
        load_balancer: ec2(),
    }
}

fn plain() -> kiln::health::Check<kiln::health::Tcp> {
    health::tcp()
}

deployment! {
    pub staging {
        image: web(),
        target: ec2 { region: 1 + 1, public_address: 1 == 1 },
        ports: [80],
        health: plain() { path: format!("/") },
    }
}

fn main() {}
