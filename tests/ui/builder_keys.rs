use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 {
            regoin: "eu-west-1",
            "region": "eu-west-1",
            subnet: "subnet-0a1b2c3d",
            subnet: "subnet-0a1b2c3d",
            volume: { sice: 16 },
            tags: { team: "web", "team": "api" },
            layer x {}
        },
        builder: ec2,
    }
}

fn main() {}
