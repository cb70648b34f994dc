use super::{Head, Input, Key, Keys, Kind, Step, any, any_named, key};
use crate::valid::MapOf;
use kiln_rules as rules;

/// Every step that `kiln` brings, and `step` for the user's own.
pub(crate) const STEPS: &[Step] = &[
    Step {
        key: "apt",
        head: Head::One(Kind::List(rules::package)),
        options: Keys::of("`apt`", &[key("recommends", Kind::Flag)]),
    },
    Step {
        key: "copy",
        head: Head::Pair(Input::Any),
        options: Keys::of(
            "`copy`",
            &[
                key("owner", Kind::Text(rules::owner)),
                key("mode", Kind::Mode),
                key("directory_mode", Kind::Mode),
            ],
        ),
    },
    Step {
        key: "template",
        head: Head::Pair(Input::Template),
        options: Keys::of(
            "`template`",
            &[
                key("vars", Kind::Map(MapOf::Json, any_named)),
                key("owner", Kind::Text(rules::owner)),
                key("mode", Kind::Mode),
            ],
        ),
    },
    Step {
        key: "file",
        head: Head::One(Kind::Text(rules::destination)),
        options: Keys {
            of: "`file`",
            known: &[
                key("content", Kind::Text(any)),
                key("directory", Kind::Flag),
                key("link", Kind::Text(any)),
                key("absent", Kind::Flag),
                key("owner", Kind::Text(rules::owner)),
                key("mode", Kind::Mode),
            ],
            one_of: &["content", "directory", "link", "absent"],
            needs: &[],
            excludes: &[("mode", "link"), ("mode", "absent"), ("owner", "absent")],
        },
    },
    Step {
        key: "group",
        head: Head::One(Kind::Text(rules::account)),
        options: Keys::of("`group`", &[key("gid", Kind::Number), key("system", Kind::Flag)]),
    },
    Step {
        key: "user",
        head: Head::One(Kind::Text(rules::account)),
        options: Keys::of(
            "`user`",
            &[
                key("uid", Kind::Number),
                key("group", Kind::Text(rules::account)),
                key("groups", Kind::List(rules::account)),
                key("home", Kind::Text(rules::destination)),
                key("shell", Kind::Text(rules::destination)),
                key("system", Kind::Flag),
                key("authorized_keys", Kind::List(rules::authorized_key)),
            ],
        ),
    },
    Step {
        key: "service",
        head: Head::One(Kind::Text(rules::service)),
        options: Keys::of("`service`", &[key("enable", Kind::Flag), key("mask", Kind::Flag)]),
    },
    Step {
        key: "unit",
        head: Head::One(Kind::Text(rules::systemd_unit)),
        options: Keys {
            of: "`unit`",
            known: &[
                key("content", Kind::Text(any)),
                key("template", Kind::Input(Input::Template)),
                key("vars", Kind::Map(MapOf::Json, any_named)),
                key("enable", Kind::Flag),
            ],
            one_of: &["content", "template"],
            needs: &[("vars", "template")],
            excludes: &[],
        },
    },
    Step {
        key: "env",
        head: Head::One(Kind::Map(MapOf::Text, rules::env_value)),
        options: Keys::none("`env`"),
    },
    Step {
        key: "run",
        head: Head::One(Kind::Text(rules::command)),
        options: Keys::of("`run`", RUNNING),
    },
    Step {
        key: "script",
        head: Head::One(Kind::Input(Input::File)),
        options: Keys::of("`script`", SCRIPT),
    },
    Step { key: "reboot", head: Head::Nothing, options: Keys::none("`reboot`") },
    Step { key: "step", head: Head::Own, options: Keys::none("`step`") },
];

const RUNNING: &[Key] = &[ENV, CWD, USER, NETWORK, TIMEOUT, MEMORY];
const SCRIPT: &[Key] = &[key("args", Kind::List(any)), ENV, CWD, USER, NETWORK, TIMEOUT, MEMORY];

const ENV: Key = key("env", Kind::Map(MapOf::Text, any_named));
const CWD: Key = key("cwd", Kind::Text(rules::directory));
const USER: Key = key("user", Kind::Text(rules::account));
const NETWORK: Key = key("network", Kind::Flag);
const TIMEOUT: Key = key("timeout", Kind::Text(duration));
const MEMORY: Key = key("memory", Kind::Text(bytes));

pub(super) fn duration(text: &str) -> Result<(), rules::Fault> {
    rules::duration(text).map(drop)
}

fn bytes(text: &str) -> Result<(), rules::Fault> {
    rules::bytes(text).map(drop)
}
