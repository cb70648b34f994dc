use kiln::prelude::*;

image! {
    pub bounds {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: 65537, iops: 2999, throughput: 124 } },
    }
}

image! {
    pub together {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: 16, kind: "gp3", iops: 8001, throughput: 2000 } },
    }
}

image! {
    pub of_another_kind {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: 20000, kind: "gp2", iops: 3000, throughput: 125 } },
    }
}

image! {
    pub unknown_kind {
        base: debian("bookworm"),
        builder: ec2 { volume: { kind: "pg3" } },
    }
}

image! {
    pub cold {
        base: debian("bookworm"),
        builder: ec2 { volume: { size: 500, kind: "st1" } },
    }
}

image! {
    pub slow {
        base: debian("bookworm"),
        builder: ec2 { volume: { iops: 3000, throughput: 751 } },
    }
}

fn main() {}
