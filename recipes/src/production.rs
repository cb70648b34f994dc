//! What runs: servers of the web image behind a load balancer.

use crate::web::web;
use kiln::prelude::*;

deployment! {
    /// Two web servers. A change of their image or of what they start with replaces both, side by side with the old
    /// ones, which stay warm for a rollback.
    pub production {
        image: web(),
        target: ec2 { instance_type: "t3.micro" },
        replicas: 2,
        ports: [80],
        health: http { path: "/healthz", interval: "5s", timeout: "2s" },
        strategy: red_black { keep_previous: 1 },
        load_balancer: application { listen: 80, drain: "10s" },
    }
}
