use kiln::prelude::*;

image! {
    pub base {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-west-1" },
    }
}

image! {
    pub web { base: base() }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 { region: "us-east-1" },
    }
}

fn main() {}
