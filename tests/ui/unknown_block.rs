use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        layr main { run: "true" }
        stage two { run: "true" }
        run: "true",
        bsae: scratch(),
    }
}

fn main() {}
