use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "site" => "/srv/www" { onwer: "root", colour: "red" },
        }
    }
}

fn main() {
    let _: Image = web();
}
