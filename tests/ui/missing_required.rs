use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "site",
            file: "/etc/motd" { mode: 0o644 },
            unit: "api.service" { enable: true },
            run:,
        }
    }
}

fn main() {
    let _: Image = web();
}
