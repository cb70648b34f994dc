use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub a { image: web(), target: ec2, replicas: { min: 4, desired: 3, max: 6 } }
}

deployment! {
    pub b { image: web(), target: ec2, replicas: { min: 2, desired: 7, max: 6 } }
}

deployment! {
    pub c { image: web(), target: ec2, replicas: { max: 2, min: 3 } }
}

deployment! {
    pub d { image: web(), target: ec2, replicas: {} }
}

deployment! {
    pub e { image: web(), target: ec2, replicas: { min: 1, most: 2 } }
}

deployment! {
    pub f { image: web(), target: ec2, replicas: "three" }
}

fn main() {}
