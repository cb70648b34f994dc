use kiln::prelude::*;

image! {
    pub egg {
        base: hen(),
        layer main { run: "true" }
    }
}

image! {
    pub hen {
        base: egg(),
        layer main { run: "true" }
    }
}

fn main() {}
