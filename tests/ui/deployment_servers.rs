use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2 {
            instance_profile: "arn:aws:iam::123456789012:role/web",
            volume: { size: 0, kind: "gp4" },
        },
        tags: { team: "web", "aws:name": "web", "kiln:deployment": "mine" },
    }
}

deployment! {
    pub many_wrong_types {
        image: web(),
        target: ec2 { instance_profile: [], volume: 16, public_address: "yes", user_data: 1 },
        tags: { size: 3 },
    }
}

fn main() {}
