use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-wset-1" },
    }
}

image! {
    pub zone {
        base: debian("bookworm"),
        builder: ec2 { region: "eu-west-1a" },
    }
}

image! {
    pub by_method {
        base: debian("bookworm"),
        builder: ec2().region("Ireland"),
    }
}

fn main() {
    let _: [Image; 3] = [web(), zone(), by_method()];
}
