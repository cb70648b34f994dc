use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        test both { run: "true", http: "http://localhost/" }
    }
}

fn main() {}
