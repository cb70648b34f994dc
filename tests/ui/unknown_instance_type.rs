use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-west-1", instance_type: "t3.smal" },
    }
}

image! {
    pub family {
        base: debian("bookworm"),
        builder: ec2 { instance_type: "t4g" },
    }
}

image! {
    pub nothing_like_it {
        base: debian("bookworm"),
        builder: ec2().instance_type("enormous"),
    }
}

fn main() {
    let _: [Image; 3] = [web(), family(), nothing_like_it()];
}
