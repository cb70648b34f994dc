use kiln::prelude::*;

image! {
    pub by_id { base: ami("ami-0123") }
}

image! {
    pub by_parameter { base: ami_parameter("/aws//debian") }
}

image! {
    pub by_name { base: newest_ami("amzon", "*") }
}

image! {
    pub by_number { base: newest_ami(136693071363, "debian-12-amd64-*") }
}

fn main() {}
