use kiln::prelude::*;

image! {
    pub web {
        base: scratch()
        layer main {
            copy: "site" => "/srv/www" { mode: 0o644 owner: "root" }
            run "true",
            run: "true"
        }
    }
}

fn main() {
    let _: Image = web();
}
