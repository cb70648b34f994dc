use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production { image: web(), target: ec2, layer site { run: "true" } }
}

deployment! {
    pub staging { image: web(), target: ec2, "replicas": 3, base: debian("bookworm") }
}

fn main() {}
