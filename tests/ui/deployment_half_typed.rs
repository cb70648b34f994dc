use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "eu-west-1", inst },
        rep
    }
}

deployment! {
    pub staging {
        image: web().,
        target: ec2 { region: "eu-west-1" },
        health: http { port: },
    }
}

deployment! {
    pub begun
}

fn main() {}
