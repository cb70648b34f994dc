use kiln::prelude::*;

image! {
    pub base {
        base: debian("bookworm"),
        builder: ec2 { instance_type: "t4g.small" },
    }
}

image! {
    pub web { base: base() }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { instance_type: "c7i.large" },
    }
}

deployment! {
    pub by_default {
        image: web(),
        target: ec2 { region: "eu-west-1" },
    }
}

deployment! {
    pub by_hand {
        image: web(),
        target: target::ec2().instance_type("m7a.large"),
    }
}

fn main() {}
