use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            file: "/etc/motd" { content: "hi", link: "/run/motd" },
            file: "/etc/issue" { mode: 0o644, link: "/run/issue" },
            unit: "api.service" { content: "[Unit]", template: "nginx.conf.j2", vars: { workers: 1 } },
            unit: "job.service" { content: "[Unit]", vars: { workers: 1 } },
        }
    }
}

fn main() {
    let _: Image = web();
}
