use kiln::prelude::*;

image! {
    pub web {
        base: debian("bokworm"),
        layer main { run: "true" }
    }
}

image! {
    pub api {
        base: debian("trixie").include(["Linux"]).mirror("deb.debian.org"),
        layer main { run: "true" }
    }
}

fn main() {}
