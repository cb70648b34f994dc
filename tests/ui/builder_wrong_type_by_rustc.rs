use kiln::prelude::*;

const SIZE: u64 = 16;

image! {
    pub web(zone: u8) {
        base: debian("bookworm"),
        builder: ec2 { region: zone, volume: { size: SIZE }, address: somewhere },
    }
}

image! {
    pub api {
        base: debian("bookworm"),
        builder: 5 + 5,
    }
}

fn main() {}
