use super::{BUILDERS, Input, Key, Keys, Kind, any, key, steps};
use kiln_rules as rules;

/// What stands directly in a recipe, beside its `layer` and `test` blocks.
pub(crate) const IMAGE: Keys =
    Keys::of("an image", &[key("base", Kind::Any), BUILDER, key("start", Kind::List(any))]);

/// Where the image is baked.
const BUILDER: Key = key("builder", Kind::Block(&BUILDERS));

/// What an image has none of, but a layer has: for a step that is written outside of a layer.
pub(crate) const LAYER_ONLY: &str = "steps stand in a layer: `layer name { … }`";

/// What stands in a test.
pub(crate) const TEST: Keys = Keys {
    of: "a test",
    known: &[
        key("run", Kind::Text(rules::command)),
        key("http", Kind::Text(rules::url)),
        key("tcp", Kind::Port),
        key("status", Kind::Number),
        key("body", Kind::Text(any)),
        key("within", Kind::Text(steps::duration)),
    ],
    one_of: &["run", "http", "tcp"],
    needs: &[("status", "http"), ("body", "http")],
    excludes: &[],
};

/// A base that `kiln` brings.
pub(crate) struct Base {
    /// The function's name.
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) args: &'static [Kind],
    /// Its methods and their argument.
    pub(crate) methods: &'static [(&'static str, Kind)],
}

/// The bases whose arguments can be judged.
pub(crate) const BASES: &[Base] = &[
    Base { name: "ami", args: &[Kind::Text(rules::ami)], methods: &[] },
    Base { name: "ami_parameter", args: &[Kind::Text(rules::ami_parameter)], methods: &[] },
    Base {
        name: "newest_ami",
        args: &[Kind::Text(rules::ami_owner), Kind::Text(rules::ami_name_pattern)],
        methods: &[],
    },
    Base {
        name: "debian",
        args: &[Kind::Text(rules::suite)],
        methods: &[("include", Kind::List(rules::package)), ("mirror", Kind::Text(rules::url))],
    },
    Base {
        name: "oci_layout",
        args: &[Kind::Input(Input::Directory)],
        methods: &[("tag", Kind::Text(any))],
    },
    Base {
        name: "root_archive",
        args: &[Kind::Input(Input::File), Kind::Text(rules::digest)],
        methods: &[],
    },
];
