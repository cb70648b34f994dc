use kiln::prelude::*;

deployment! {}

fn main() {}
