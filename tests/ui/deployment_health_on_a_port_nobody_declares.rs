use kiln::prelude::*;

image! {
    pub web { base: debian("bookworm") }
}

deployment! {
    pub production {
        image: web(),
        target: ec2,
        ports: [80, 443],
        health: http { port: 8080, path: "/healthz" },
    }
}

deployment! {
    pub without_ports {
        image: web(),
        target: ec2,
        health: tcp { port: 80 },
    }
}

deployment! {
    pub which_one {
        image: web(),
        target: ec2,
        ports: [80, 443],
        health: http,
    }
}

deployment! {
    pub by_hand {
        image: web(),
        target: ec2,
        ports: [80],
        health: health::tcp().port(22),
    }
}

fn main() {}
