use super::{Key, Keys, Kind, Word, Words, key, steps};
use crate::valid::MapOf;
use kiln_rules::{self as rules, Fault};

/// What stands in a deployment: the methods of `kiln::Deployment`.
pub(crate) const DEPLOYMENT: Keys = Keys::of(
    "a deployment",
    &[
        key("image", Kind::Any),
        key("target", Kind::Block(&TARGETS)),
        key("replicas", Kind::Replicas),
        key("ports", Kind::Ports),
        key("health", Kind::Block(&HEALTH)),
        key("strategy", Kind::Block(&STRATEGIES)),
        key("load_balancer", Kind::Block(&LOAD_BALANCERS)),
        key("tags", Kind::Map(MapOf::Tags, rules::tag_value)),
    ],
);

/// What bounds of a number of servers take: the methods of `kiln::ReplicaBounds`.
pub(crate) const REPLICAS: Keys = Keys::of(
    "`replicas`",
    &[key("min", Kind::Number), key("desired", Kind::Number), key("max", Kind::Number)],
);

const TARGETS: Words = Words {
    what: "target",
    expected: "`ec2`",
    module: Some("target"),
    words: &[Word { name: "ec2", keys: EC2 }],
    own: EC2,
    refused: &[],
};

/// The methods of `kiln::Ec2Target`.
const EC2: Keys = Keys::of(
    "`ec2`",
    &[
        key("region", Kind::Text(rules::region)),
        key("instance_type", Kind::Text(rules::instance_type)),
        key("subnets", Kind::List(rules::subnet)),
        key("security_groups", Kind::List(rules::security_group)),
        key("instance_profile", Kind::Text(rules::instance_profile)),
        key("volume", Kind::Volume),
        key("user_data", Kind::Text(rules::user_data)),
        key("public_address", Kind::Flag),
    ],
);

const HEALTH: Words = Words {
    what: "health check",
    expected: "`http` or `tcp`",
    module: Some("health"),
    words: &[
        Word { name: "http", keys: Keys::of("`http`", HTTP) },
        Word {
            name: "tcp",
            keys: Keys::of("`tcp`", &[PORT, INTERVAL, TIMEOUT, HEALTHY, UNHEALTHY, WITHIN, SOAK]),
        },
    ],
    own: Keys::of("`health`", HTTP),
    refused: &[("https", "servers are asked in the clear: write `http` or `tcp`")],
};

/// The methods of `kiln::health::Check`.
const HTTP: &[Key] = &[
    PORT,
    key("path", Kind::Text(rules::request_path)),
    key("status", Kind::Count(rules::health_status)),
    INTERVAL,
    TIMEOUT,
    HEALTHY,
    UNHEALTHY,
    WITHIN,
    SOAK,
];

const PORT: Key = key("port", Kind::Port);
const INTERVAL: Key = key("interval", Kind::Text(interval));
const TIMEOUT: Key = key("timeout", Kind::Text(timeout));
const HEALTHY: Key = key("healthy", Kind::Count(healthy));
const UNHEALTHY: Key = key("unhealthy", Kind::Count(unhealthy));
const WITHIN: Key = key("within", Kind::Text(steps::duration));
const SOAK: Key = key("soak", Kind::Text(soak));

const STRATEGIES: Words = Words {
    what: "strategy",
    expected: "`red_black` or `rolling`",
    module: Some("strategy"),
    words: &[
        Word { name: "red_black", keys: Keys::of("`red_black`", &[KEEP_PREVIOUS]) },
        Word { name: "rolling", keys: Keys::of("`rolling`", &[STEP]) },
    ],
    own: Keys::of("`strategy`", &[KEEP_PREVIOUS, STEP]),
    refused: &[("blue_green", "write `red_black`: all new servers beside the old ones")],
};

/// The method of `kiln::strategy::RedBlack`.
const KEEP_PREVIOUS: Key = key("keep_previous", Kind::Count(rules::keep_previous));

/// The method of `kiln::strategy::Rolling`.
const STEP: Key = key("step", Kind::Count(rules::step));

const LOAD_BALANCERS: Words = Words {
    what: "load balancer",
    expected: "`application`, `network` or `target_group`",
    module: Some("load_balancer"),
    words: &[
        Word { name: "application", keys: Keys::of("`application`", MADE) },
        Word { name: "network", keys: Keys::of("`network`", MADE) },
        Word {
            name: "target_group",
            keys: Keys {
                of: "`target_group`",
                known: &[ARN],
                one_of: &["arn"],
                needs: &[],
                excludes: &[],
            },
        },
    ],
    own: Keys::of(
        "`load_balancer`",
        &[LISTEN, TO, CERTIFICATE, INTERNAL, SUBNETS, FROM, DRAIN, ARN],
    ),
    refused: &[("alb", "write `application`"), ("nlb", "write `network`")],
};

/// The methods of `kiln::load_balancer::Made`.
const MADE: &[Key] = &[LISTEN, TO, CERTIFICATE, INTERNAL, SUBNETS, FROM, DRAIN];

const LISTEN: Key = key("listen", Kind::Port);
const TO: Key = key("to", Kind::Port);
const CERTIFICATE: Key = key("certificate", Kind::Text(rules::certificate));
const INTERNAL: Key = key("internal", Kind::Flag);
const SUBNETS: Key = key("subnets", Kind::List(rules::subnet));
const FROM: Key = key("from", Kind::List(rules::cidr));
const DRAIN: Key = key("drain", Kind::Text(drain));
const ARN: Key = key("arn", Kind::Text(rules::target_group));

fn interval(text: &str) -> Result<(), Fault> {
    rules::health_interval(text).map(drop)
}

fn timeout(text: &str) -> Result<(), Fault> {
    rules::health_timeout(text).map(drop)
}

fn soak(text: &str) -> Result<(), Fault> {
    rules::duration_or_none(text).map(drop)
}

fn drain(text: &str) -> Result<(), Fault> {
    rules::drain(text).map(drop)
}

fn healthy(checks: u64) -> Result<(), Fault> {
    rules::health_count("healthy", checks)
}

fn unhealthy(checks: u64) -> Result<(), Fault> {
    rules::health_count("unhealthy", checks)
}
