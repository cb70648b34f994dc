use kiln::prelude::*;

image! {}

fn main() {}
