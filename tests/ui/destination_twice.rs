use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        layer one {
            file: "/etc/motd" { content: "a" },
            copy: "setup.sh" => "/opt/",
            unit: "api.service" { content: "[Unit]" },
        }
        layer two {
            file: "/etc/motd" { link: "/run/motd" },
            template: "nginx.conf.j2" => "/opt/setup.sh" { vars: { workers: 1 } },
            file: "/etc/systemd/system/api.service" { content: "" },
        }
    }
}

fn main() {}
