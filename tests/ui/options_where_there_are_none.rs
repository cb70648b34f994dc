use kiln::prelude::*;

image! {
    pub web {
        base: scratch() { suite: "bookworm" },
        layer main {
            env: { A: "1" } { B: "2" },
            run: "a" => "b",
            layer inner { run: "true" }
        }
    }
}

fn main() {}
