use kiln::prelude::*;

image! {
    pub web {
        base: root_archive("setup.sh", "sha256:123"),
        layer main {
            run: "make" { timeout: "10 minutes", memory: "512mb" },
        }
        test speaks { http: "localhost/healthz", within: "30" }
        test opens { tcp: 70000 }
    }
}

fn main() {}
