use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "site" => "/srv/www" { mode: 0o644, owner: "root", mode: 0o600 },
            env: { A: "1", A: "2" },
        }
    }
}

fn main() {
    let _: Image = web();
}
