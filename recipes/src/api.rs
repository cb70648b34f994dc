//! A small service of our own, with a systemd unit and a user that owns nothing.

use crate::base::base;
use kiln::prelude::*;

/// Where it listens.
const PORT: u16 = 8080;

image! {
    /// A JSON service on Python's standard library.
    pub api {
        base: base(),

        layer python {
            apt: ["python3"],
        }

        layer service {
            user: "api" { system: true },
            copy: "files/api/api.py" => "/opt/api/api.py" { mode: 0o755 },
            unit: "api.service" {
                template: "files/api/api.service.j2",
                vars: { user: "api", port: PORT },
                enable: true,
            },
        }

        test is_active { run: "systemctl is-active api" }
        test is_healthy { http: format!("http://localhost:{PORT}/healthz"), body: r#""status": "ok""# }
        test refuses_what_it_does_not_know { http: format!("http://localhost:{PORT}/nothing"), status: 404 }
    }
}
