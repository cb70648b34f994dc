//! The tags that everything made here bears from its creation on: they are the remote index, and tell
//! `gc` whose it is.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use std::collections::BTreeMap;

/// The cache key of a layer's snapshot, or of an image.
pub(crate) const KEY: &str = "kiln:key";
/// The key of what it stands on.
pub(crate) const PARENT: &str = "kiln:parent";
/// The image's name in the recipes.
pub(crate) const IMAGE: &str = "kiln:image";
/// The layer's name in the recipes.
pub(crate) const LAYER: &str = "kiln:layer";
/// The run that made it.
pub(crate) const RUN: &str = "kiln:run";
/// Who made it: `user@host`.
pub(crate) const OWNER: &str = "kiln:owner";
/// The project it was made for, by its name in the recipes.
pub(crate) const PROJECT: &str = "kiln:project";
/// When what is there for one bake alone is over, whoever made it: seconds since 1970. `never`: a bake finds it by its
/// key, and `gc` looks at recipes, users and age.
pub(crate) const EXPIRES: &str = "kiln:expires";
/// How a machine boots from a snapshot. See `base::MachineFacts`.
pub(crate) const MACHINE: &str = "kiln:machine";
/// On the snapshot of a layer of which an image can be made as it is: `yes`. See `publish::scrub`.
pub(crate) const CLEAN: &str = "kiln:clean";
/// What people see.
pub(crate) const NAME: &str = "Name";

/// Tags by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tags of a list.
pub(crate) fn read(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

/// Tags for objects of a kind, given at creation.
pub(crate) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let tags = tags.iter().map(tag).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

/// A text that EC2 takes as the value of a tag: letters, digits, blanks and `_.:/=+-@`, at most 256.
pub(crate) fn value(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '-' }).take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_way_there_and_back() {
        let tags: Tags = [(KEY, "k"), (NAME, "web/site")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let sent = specification(ResourceType::Snapshot, &tags);
        assert_eq!(read(sent.tags()), tags);
    }

    #[test]
    fn any_text_becomes_a_value_that_ec2_takes() {
        assert_eq!(value("me@host (old)"), "me@host -old-");
        assert_eq!(value(&"x".repeat(300)).len(), 256);
    }
}
