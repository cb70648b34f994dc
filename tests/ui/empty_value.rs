use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer main {
            run: " ",
            apt: [],
            env: {},
        }
    }
}

fn main() {
    let _: Image = web();
}
