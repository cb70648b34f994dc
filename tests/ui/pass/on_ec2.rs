#![deny(warnings)]

use kiln::prelude::*;
use kiln::{BaseNode, BuilderNode, Ec2};

const REGION: &str = "eu-west-1";

/// What all images of the team share.
fn ours() -> Ec2 {
    ec2().region(REGION).tags([("team", "web")])
}

image! {
    /// Says everything.
    pub whole {
        base: ami("ami-0123456789abcdef0"),
        builder: ec2 {
            region: REGION,
            instance_type: format!("{}.{}", "t4g", "small"),
            subnet: "subnet-0123456789abcdef0",
            security_groups: ["sg-0123456789abcdef0", "sg-0a1b2c3d"],
            instance_profile: "baker",
            volume: { size: 16, kind: "gp3", iops: 4000, throughput: 250 },
            tags: { Name: "whole", "cost:center": "web 1" },
            user_data: "#cloud-config\n",
            address: private,
        },
        layer kernel {
            apt: ["linux-image-cloud-arm64"],
            reboot,
            run: "uname -r",
        }
        layer last { reboot }
    }
}

image! {
    word { base: ami_parameter("/aws/service/debian/release/12/latest/amd64"), builder: ec2 }
}

image! {
    empty { base: debian("bookworm"), builder: ec2 {} }
}

image! {
    shared(address: Address, size: u32) {
        base: newest_ami("136693071363", "debian-12-amd64-*"),
        builder: ours() { address: address, volume: Volume::new().size(size) },
    }
}

image! {
    given(ec2: Ec2) { base: empty(), builder: ec2 { address: public } }
}

image! {
    by_hand { base: whole(), builder: ec2().instance_type("m7g.large") }
}

image! {
    says_nothing { base: by_hand(), layer mark { file: "/mark" { content: "" } } }
}

image! {
    implied { base: ami("ami-0a1b2c3d") }
}

fn main() {
    let document = Document::new("shop")
        .image(says_nothing())
        .image(word())
        .image(given(ec2().region("us-east-1")))
        .image(shared(Address::Public, 20))
        .image(implied());
    assert_eq!(document.problems(), []);
    assert!(document.names_ec2());
    let of = |name: &str| {
        let image = document.images().iter().find(|image| image.name == name).unwrap();
        let Some(BuilderNode::Ec2(ec2)) = image.builder.clone() else { panic!("{name} has no builder") };
        (ec2, image.base.clone())
    };
    let (whole, base) = of("whole");
    assert!(matches!(base, BaseNode::Ami(_)));
    assert_eq!(whole.origin.line, 17);
    assert_eq!(whole.architecture(), "arm64");
    assert_eq!(whole.tags["cost:center"], "web 1");
    assert_eq!(whole.volume.as_ref().and_then(|volume| volume.size), Some(16));
    assert_eq!(whole.address, Address::Private);
    let (says_nothing, _) = of("says_nothing");
    assert_eq!(says_nothing.instance_type.as_deref(), Some("m7g.large"));
    assert_eq!(says_nothing.subnet, whole.subnet);
    assert_eq!(of("given").0.region.as_deref(), Some("us-east-1"));
    assert_eq!(of("given").0.address, Address::Public);
    assert_eq!(of("shared").0.tags["team"], "web");
    assert_eq!(of("implied").0.region, None);
    assert_eq!(of("word").0, Ec2 { origin: of("word").0.origin, ..of("implied").0 });
}
