use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        layer main { run: "true" }
        layer main { run: "false" }
        test main { tcp: 80 }
        test main { tcp: 81 }
    }
}

fn main() {}
