use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "sit/" => "/srv/www",
            template: "nginx.conf" => "/etc/nginx/nginx.conf" { vars: { workers: 1 } },
            script: "site",
            unit: "api.service" { template: "no/such/file" },
            copy: "../secret" => "/srv/secret",
            copy: "/etc/passwd" => "/srv/passwd",
        }
    }
}

fn main() {
    let _: Image = web();
}
