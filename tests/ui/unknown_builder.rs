use kiln::prelude::*;

image! {
    pub begun {
        base: debian("bookworm"),
        builder: ec,
    }
}

image! {
    pub local {
        base: debian("bookworm"),
        builder: sandbox,
    }
}

image! {
    pub other {
        base: debian("bookworm"),
        builder: azure { region: "westeurope" },
    }
}

image! {
    pub quoted {
        base: debian("bookworm"),
        builder: "ec2",
    }
}

image! {
    pub without_colon {
        base: debian("bookworm"),
        builder ec2 { region: "eu-west-1" }
    }
}

fn main() {}
