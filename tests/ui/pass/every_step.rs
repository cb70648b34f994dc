#![deny(warnings)]

use kiln::prelude::*;

image! {
    pub(crate) every {
        base: debian("bookworm").include(["linux-image-cloud-amd64"]),
        start: ["nginx", "-g", "daemon off;"],
        layer packages {
            apt: ["nginx", "ca-certificates"] { recommends: false },
        }
        layer site {
            copy: "site/" => "/srv/www" { owner: "www-data:www-data", mode: 0o644, directory_mode: 0o755 },
            template: "nginx.conf.j2" => "/etc/nginx/nginx.conf" {
                vars: { workers: 4 }, owner: "root", mode: 0o600,
            },
            file: "/etc/motd" { content: "hi\n" },
            file: "/var/lib/api" { directory: true, owner: "0:0", mode: 0o750 },
            file: "/etc/localtime" { link: "/usr/share/zoneinfo/UTC" },
            file: "/etc/issue" { absent: true },
            group: "deploy" { gid: 900, system: true },
            user: "deploy" {
                uid: 900,
                group: "deploy",
                groups: ["adm"],
                home: "/srv/deploy",
                shell: "/bin/sh",
                system: true,
                authorized_keys: ["ssh-ed25519 AAAA me"],
            },
            service: "nginx" { enable: true },
            service: "apt-daily.timer" { mask: true },
            unit: "api.service" { content: "[Service]\nExecStart=/bin/true\n", enable: true },
            unit: "job.service" { template: "nginx.conf.j2", vars: { workers: "four" } },
            env: { RUST_LOG: "info" },
            run: "nginx -t" {
                env: { A: "b" }, cwd: "/", user: "deploy", network: true, timeout: "10m", memory: "512MiB",
            },
            reboot,
            script: "setup.sh" { args: ["a"], env: { B: "c" }, cwd: "/tmp" },
        }
        test serves { status: 200, http: "http://localhost/healthz", body: "ok", within: "30s" }
        test runs { run: "true" }
        test opens { tcp: 80 }
    }
}

fn main() {
    let document = Document::new("shop").image(every());
    assert_eq!(document.problems(), []);
    let image = &document.images()[0];
    assert_eq!(image.layers[1].steps.len(), 16);
    assert_eq!(image.tests.len(), 3);
}
