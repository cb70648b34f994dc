use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        test nothing { within: "30s" }
        test status_of_nothing { tcp: 80, status: 200 }
    }
}

fn main() {}
