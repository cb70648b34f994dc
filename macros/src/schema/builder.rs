use super::{Keys, Kind, Word, Words, any, key};
use crate::valid::MapOf;
use kiln_rules as rules;

/// What `builder` takes.
pub(crate) const BUILDERS: Words = Words {
    what: "builder",
    expected: "`ec2`",
    module: None,
    words: &[Word { name: "ec2", keys: EC2 }],
    own: EC2,
    refused: &[("sandbox", "what names no builder is baked in the sandbox: remove `builder`")],
};

/// What `ec2` takes: the methods of `kiln::Ec2`.
const EC2: Keys = Keys::of(
    "`ec2`",
    &[
        key("region", Kind::Text(rules::region)),
        key("instance_type", Kind::Text(rules::instance_type)),
        key("subnet", Kind::Text(rules::subnet)),
        key("security_groups", Kind::List(rules::security_group)),
        key("instance_profile", Kind::Text(rules::instance_profile)),
        key("volume", Kind::Volume),
        key("tags", Kind::Map(MapOf::Tags, rules::tag_value)),
        key("user_data", Kind::Text(rules::user_data)),
        key("address", Kind::Address),
    ],
);

/// What a volume takes: the methods of `kiln::Volume`.
pub(crate) const VOLUME: Keys = Keys::of(
    "`volume`",
    &[
        key("size", Kind::Number),
        // Bounds depend on the kind, which is judged with them.
        key("kind", Kind::Text(any)),
        key("iops", Kind::Number),
        key("throughput", Kind::Number),
    ],
);

/// The words for `address`, each with its variant of `kiln::Address`.
pub(crate) const ADDRESSES: [(&str, &str); 2] = [("private", "Private"), ("public", "Public")];
