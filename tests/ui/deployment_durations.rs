use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { interval: "10", timeout: "5sec", within: "0s", soak: "half an hour" },
        load_balancer: application { drain: "30" },
    }
}

deployment! {
    pub out_of_range {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { interval: "1s", timeout: "500ms" },
        load_balancer: application { drain: "2h" },
    }
}

deployment! {
    pub longer_than_the_interval {
        image: web(),
        target: ec2,
        ports: [80],
        health: http { interval: "20s", timeout: "20s" },
    }
}

deployment! {
    pub longer_than_the_default {
        image: web(),
        target: ec2,
        ports: [80],
        health: tcp { timeout: "30s" },
    }
}

fn main() {}
