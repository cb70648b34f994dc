use kiln::prelude::*;

image! {
    pub web {
        layer main { run: "true" }
    }
}

fn main() {}
