use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { instance_type: "t3.mirco" },
    }
}

deployment! {
    pub by_hand {
        image: web(),
        target: target::ec2().instance_type("t3"),
    }
}

deployment! {
    pub refined(ours: kiln::Ec2Target) {
        image: web(),
        target: ours { instance_type: "enormous" },
    }
}

fn main() {}
