use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production { image: web(), target: ec2 }
    pub staging { image: web(), target: ec2 }
}

fn main() {}
