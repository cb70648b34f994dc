use kiln::prelude::*;

image! {
    pub base {
        base: debian("bokworm"),
        layer packages { apt: ["Nginx"] }
    }
}

image! {
    pub web {
        base: base(),
        layer site {
            copy: "site" => "srv" { onwer: "root", mode: 644 },
            run: "true",
            cpoy: "site" => "/srv/www",
        }
        test serves { http: "localhost", status: "ok" }
    }
}

fn main() {
    // Both recipes are there all the same: no error follows from those above.
    let _: Image = base();
    let _: Image = web();
}
