use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 {
            subnet: "subnet-12",
            security_groups: ["sg-0a1b2c3d", "default"],
            instance_profile: "arn:aws:iam::123456789012:role/web",
            address: privat,
        },
    }
}

image! {
    pub none {
        base: debian("bookworm"),
        builder: ec2 { security_groups: [], tags: {}, volume: {} },
    }
}

fn main() {}
