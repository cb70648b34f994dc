use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 {
            tags: { "aws:team": "web", "kiln:key": "x", "": "empty", stage: "a\nb" },
        },
    }
}

image! {
    pub as_pairs {
        base: debian("bookworm"),
        builder: ec2 { tags: [("AWS:team", "web"), ("stage", "\t")] },
    }
}

fn main() {}
