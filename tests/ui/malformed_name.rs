use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            apt: ["nginx", "Nginx", "curl=8.0"],
            user: "Deploy" { groups: ["adm", "no way"] },
            group: "1st",
            copy: "site" => "/srv/www" { owner: "www-data:No" },
            service: "nginx.servce",
            unit: "api" { content: "[Unit]" },
            env: { RÜST: "1", GOOD: "a\nb" },
        }
    }
}

fn main() {
    let _: Image = web();
}
