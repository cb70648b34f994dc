use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "eu-wset-1" },
    }
}

deployment! {
    pub in_a_zone {
        image: web(),
        target: ec2 { region: "eu-west-1a" },
    }
}

deployment! {
    pub somewhere {
        image: web(),
        target: target::ec2().region("Ireland"),
    }
}

fn main() {}
