use kiln::prelude::*;

image! {
    pub web { base: scratch(), layer main { run: "true" } }
    pub api { base: scratch(), layer main { run: "true" } }
}

fn main() {
    let _: Image = web();
}
