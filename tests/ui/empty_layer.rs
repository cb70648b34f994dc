use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        start: [],
        layer main {}
    }
}

fn main() {}
