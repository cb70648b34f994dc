use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub without_image { target: ec2 }
}

deployment! {
    pub without_target { image: web(), replicas: 3 }
}

deployment! {
    pub without_anything {}
}

deployment! {
    pub without_arn {
        image: web(),
        target: ec2,
        load_balancer: target_group {},
    }
}

fn main() {}
