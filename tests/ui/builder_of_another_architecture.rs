use kiln::prelude::*;

image! {
    pub base {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-west-1", instance_type: "t3.small" },
    }
}

image! {
    pub between { base: base() }
}

image! {
    pub web {
        base: between(),
        builder: ec2 { instance_type: "c7g.large" },
    }
}

image! {
    pub elsewhere {
        base: base(),
        builder: ec2 { region: "us-east-1", instance_type: "m7a.large" },
    }
}

fn main() {}
