//! `replicas: { … }`: its keys, and their order.

use super::{Inputs, keys, word};
use crate::diag::Sink;
use crate::schema::REPLICAS;
use crate::valid::{Arg, Call};
use kiln_rules as rules;
use proc_macro2::Group;
use syn::LitInt;

/// Checks bounds in braces.
pub(super) fn check(key: &str, group: &Group, inputs: &Inputs, sink: &mut Sink) -> Option<Arg> {
    let calls =
        keys::some(key, group, &REPLICAS, inputs, sink, |calls, _, sink| order(calls, sink))?;
    Some(Arg::Fields { of: "ReplicaBounds", calls })
}

/// Judges the numbers that are literals, each against those that it must not be less than.
fn order(calls: &[Call], sink: &mut Sink) {
    let number = |key: &str| {
        let literal: LitInt = word::literal(calls.iter().find(|call| call.key == key)?)?;
        let value = literal.base10_parse::<u64>().ok()?;
        Some((literal, value))
    };
    let (min, desired, max) = (number("min"), number("desired"), number("max"));
    let value = |of: &Option<(LitInt, u64)>| of.as_ref().map(|(_, value)| *value);
    if let Some((at, first)) = &desired {
        sink.check(at, rules::replicas(value(&min), Some(*first), None));
    }
    if let Some((at, most)) = &max {
        // Of `desired` that is wrong, enough has been said.
        let first = value(&desired).filter(|first| value(&min).is_none_or(|min| min <= *first));
        sink.check(
            at,
            rules::replicas(value(&min).filter(|_| first.is_none()), first, Some(*most)),
        );
    }
}
