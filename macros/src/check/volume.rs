//! `volume: { … }`: its keys, and the bounds that depend on one another.

use super::keys::{self, Seen};
use super::{Inputs, word};
use crate::diag::Sink;
use crate::schema::VOLUME;
use crate::valid::{Arg, Call};
use kiln_rules as rules;
use proc_macro2::Group;
use syn::{LitInt, LitStr};

/// Checks a volume in braces.
pub(super) fn check(key: &str, group: &Group, inputs: &Inputs, sink: &mut Sink) -> Option<Arg> {
    let calls = keys::some(key, group, &VOLUME, inputs, sink, bounds)?;
    Some(Arg::Fields { of: "Volume", calls })
}

/// Judges the numbers that are literals, by the kind where that is one too.
fn bounds(calls: &[Call], seen: &Seen, sink: &mut Sink) {
    let kind = literal::<LitStr>(calls, "kind");
    let known = kind.as_ref().map(LitStr::value);
    let known = match &known {
        Some(text) => sink.check(&kind, rules::volume_kind(text)).map(|()| text.as_str()),
        None if seen.has("kind") => None,
        None => Some("gp3"),
    };
    let number = |key| {
        let literal = literal::<LitInt>(calls, key)?;
        let value = literal.base10_parse::<u64>().ok()?;
        Some((literal, value))
    };
    let (size, iops) = (number("size"), number("iops"));
    let value = |of: &Option<(LitInt, u64)>| of.as_ref().map(|(_, value)| *value);
    if let Some((at, gib)) = &size {
        sink.check(at, rules::volume_size(known, *gib));
    }
    if let Some((at, count)) = &iops {
        sink.check(at, rules::volume_iops(known, value(&size), *count));
    }
    if let Some((at, mib)) = number("throughput") {
        sink.check(at, rules::volume_throughput(known, value(&iops), mib));
    }
}

fn literal<L: syn::parse::Parse>(calls: &[Call], key: &str) -> Option<L> {
    word::literal(calls.iter().find(|call| call.key == key)?)
}
