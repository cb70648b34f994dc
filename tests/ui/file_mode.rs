use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            copy: "site" => "/srv/www" { mode: 644, directory_mode: 0o17777 },
            file: "/etc/motd" { content: "hi", mode: 0x1a4 },
        }
    }
}

fn main() {
    let _: Image = web();
}
