use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            template: "broken.j2" => "/etc/broken.conf",
        }
    }
}

fn main() {
    let _: Image = web();
}
