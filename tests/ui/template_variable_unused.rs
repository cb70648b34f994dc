#![deny(deprecated)]

use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        layer main {
            template: "nginx.conf.j2" => "/etc/nginx.conf" { vars: { workers: 4, colour: "red" } },
        }
    }
}

fn main() {}
