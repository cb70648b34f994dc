use kiln::prelude::*;

const MODE: &str = "0644";

fn port() -> u32 {
    80
}

image! {
    pub web {
        base: 5 + 5,
        layer main {
            copy: "site" => "/srv/www" { mode: MODE, owner: port() },
            env: { PORT: port() },
            step: port(),
        }
        test opens { tcp: port() }
    }
}

fn main() {}
