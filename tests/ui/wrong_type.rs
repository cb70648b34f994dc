use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            apt: "nginx",
            apt: ["nginx"] { recommends: "no" },
            copy: "site" => 5 { mode: "0644" },
            user: "deploy" { uid: "900", groups: "adm" },
            env: { PORT: 80 },
            env: "A=1",
            run: ["nginx", "-t"] { network: 1 },
            run: { A: "1" },
            step: { a: 1, b: 2 },
            template: "nginx.conf.j2" => "/etc/nginx.conf" { vars: { workers: { a: 1 } } },
        }
    }
}

fn main() {
    let _: Image = web();
}
