use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            cpoy: "site" => "/srv/www",
            reboot_everything: true,
        }
    }
}

fn main() {
    let _: Image = web();
}
