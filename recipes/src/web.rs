//! A web server with a static site.

use crate::base::base;
use kiln::prelude::*;

/// One for each core of the smallest server that it runs on.
const WORKERS: u32 = 2;

image! {
    /// nginx with our site.
    pub web {
        base: base(),

        layer nginx {
            apt: ["nginx"],
        }

        layer site {
            copy: "files/web/site/" => "/srv/www",
            template: "files/web/nginx.conf.j2" => "/etc/nginx/nginx.conf" {
                vars: { workers: WORKERS, root: "/srv/www" },
            },
            service: "nginx" { enable: true },
            run: "nginx -t -e stderr",
        }

        test serves_the_page { http: "http://localhost/", body: "Baked by Kiln" }
        test serves_the_style { http: "http://localhost/style.css" }
        test says_that_it_is_healthy { http: "http://localhost/healthz", status: 200, body: "ok" }
    }
}
