use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: wbe(),
        target: ec2 { region: "eu-west-1" },
    }
}

fn main() {}
