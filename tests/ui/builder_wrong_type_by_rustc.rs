use kiln::prelude::*;

const SIZE: u64 = 16;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: SIZE }, address: somewhere },
    }
}

image! {
    pub api {
        base: debian("bookworm"),
        builder: 5 + 5,
    }
}

fn main() {}
