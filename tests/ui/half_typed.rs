use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm").,
        layer main {
            copy: "site" =>,
            run: std::env::,
            file: "/etc/motd" { content: "a", ow },
            ser
        }
        layer
        test opens { tcp: 80 }
        test
    }
}

image! {
    pub api {
        base:
    }
}

image! { pub db }

fn main() {
    let _: [Image; 3] = [web(), api(), db()];
}
