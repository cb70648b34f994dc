use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "site" => "srv/www",
            copy: "site" => "/srv/../www",
            file: "/" { directory: true },
            user: "deploy" { home: "home/deploy" },
            run: "true" { cwd: "tmp" },
        }
    }
}

fn main() {
    let _: Image = web();
}
