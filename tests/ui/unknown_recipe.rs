use kiln::prelude::*;

image! {
    pub common {
        base: scratch(),
    }
}

image! {
    pub web {
        base: comon(),
    }
}

fn main() {}
