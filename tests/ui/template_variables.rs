use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            template: "nginx.conf.j2" => "/etc/nginx/a.conf",
            template: "nginx.conf.j2" => "/etc/nginx/b.conf" { vars: { wrokers: 4 } },
            template: "app.conf.j2" => "/etc/app.conf" { vars: { account: "app", colour: "red" } },
        }
    }
}

fn main() {
    let _: Image = web();
}
