use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 {
            region: ["eu-west-1"],
            instance_type: 3,
            subnet: { id: 1 },
            security_groups: "sg-0a1b2c3d",
            instance_profile: true,
            volume: 16,
            tags: { team: 1 },
            user_data: 'x',
            address: "private",
        },
    }
}

image! {
    pub volume {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: "16GiB", kind: 3, iops: "3000", throughput: [125] } },
    }
}

fn main() {}
