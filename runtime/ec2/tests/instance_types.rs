//! The list of instance types that recipes are checked against is the SDK's.

use aws_sdk_ec2::types::InstanceType;
use std::collections::BTreeSet;

#[test]
fn recipes_know_the_instance_types_of_the_sdk() {
    let known: BTreeSet<String> = kiln::rules::instance_types().collect();
    let of_sdk: BTreeSet<String> =
        InstanceType::values().iter().map(|name| (*name).to_owned()).collect();
    let differ: Vec<&String> = known.symmetric_difference(&of_sdk).collect();
    assert!(
        differ.is_empty(),
        "`runtime/rules/src/ec2/families.rs` is not of this SDK: {differ:?}"
    );
}
