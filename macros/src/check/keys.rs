//! Keys against their table: unknown, twice, missing, not together.

use super::{Inputs, value};
use crate::ast::{self, Body, Entry, Pair, Value};
use crate::diag::{self, Sink};
use crate::schema::{Key, Keys};
use crate::valid::Call;
use proc_macro2::{Group, Ident};
use syn::LitStr;

/// The keys that are there, right or wrong.
#[derive(Default)]
pub(super) struct Seen {
    keys: Vec<(Ident, Option<LitStr>)>,
    /// Of these, the ones that a colon follows.
    whole: Vec<String>,
    /// Whether something stands there that no one knows: it may be the misspelled key that is missing.
    pub(super) unknown: bool,
}

impl Seen {
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a key, where it is a string literal.
    pub(super) fn text(&self, key: &str) -> Option<&LitStr> {
        self.keys.iter().find(|(seen, _)| seen == key).and_then(|(_, text)| text.as_ref())
    }

    fn get(&self, key: &str) -> Option<&Ident> {
        self.keys.iter().map(|(seen, _)| seen).find(|seen| *seen == key)
    }
}

/// Checks everything in these braces. `owner` is the token that a missing key is reported at.
pub(super) fn all(
    body: Body,
    owner: &Ident,
    keys: &Keys,
    seen: &mut Seen,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Vec<Call> {
    let calls = refine(body, keys, seen, inputs, sink);
    together(owner, keys, seen, sink);
    calls
}

/// Checks the value of a key that is at least one other key in braces, and then with `further` what depends on several.
pub(super) fn some(
    key: &str,
    group: &Group,
    keys: &Keys,
    inputs: &Inputs,
    sink: &mut Sink,
    further: impl FnOnce(&[Call], &Seen, &mut Sink),
) -> Option<Vec<Call>> {
    let body = Body::read(group);
    if body.entries.is_empty() {
        sink.error(group, diag::empty_list(key));
        return None;
    }
    let owner = Ident::new(key, group.span());
    let mut seen = Seen::default();
    sink.nest(|sink| {
        let calls = all(body, &owner, keys, &mut seen, inputs, sink);
        further(&calls, &seen, sink);
        Some(calls)
    })
}

/// Checks everything in these braces, which may be missing anything: they refine what is said elsewhere.
pub(super) fn refine(
    body: Body,
    keys: &Keys,
    seen: &mut Seen,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Vec<Call> {
    let mut calls = Vec::new();
    for entry in body.entries {
        match entry {
            Entry::Pair(entry) => calls.extend(pair(entry, keys, seen, inputs, sink)),
            other => {
                seen.unknown = true;
                stray(other, keys.of, "a key", sink);
            }
        }
    }
    calls
}

/// Checks one key and its value.
pub(super) fn pair(
    pair: Pair,
    keys: &Keys,
    seen: &mut Seen,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<Call> {
    let known = known(&pair, keys, seen, sink)?;
    sink.nest(|sink| {
        let value = lone(&pair, known.kind.expected(), sink)?;
        let arg = value::check(known.kind, known.name, value, inputs, sink)?;
        Some(Call { key: pair.key, arg })
    })
}

/// The key, where it is one of these and stands there for the first time.
pub(super) fn known(
    pair: &Pair,
    keys: &Keys,
    seen: &mut Seen,
    sink: &mut Sink,
) -> Option<&'static Key> {
    let name = pair.key.to_string();
    let Some(known) = keys.get(&name) else {
        seen.unknown = true;
        sink.error(&pair.key, diag::unknown_key(&name, keys.of, &keys.names()));
        return None;
    };
    // A key that is only begun is in no one's way.
    let twice = pair.colon && seen.whole.contains(&name);
    seen.keys.push((pair.key.clone(), pair.value.as_ref().and_then(value::text)));
    if pair.colon {
        seen.whole.push(name.clone());
    }
    if twice {
        sink.error(&pair.key, diag::duplicate_key(&name, keys.of));
        return None;
    }
    Some(known)
}

/// Reports what is no `key: value`.
pub(super) fn stray(entry: Entry, of: &str, expected: &str, sink: &mut Sink) {
    match entry {
        Entry::Block(block) => {
            let word = block.keyword.to_string();
            sink.error(&block.keyword, diag::misplaced(&word, of, "close the braces before it"));
        }
        Entry::Stray(tokens) => {
            let fault = diag::unexpected_tokens(&tokens, expected);
            sink.error(tokens, fault);
        }
        Entry::Quoted(pair) => sink.error(&pair.key, diag::quoted_key(&pair.key.value())),
        Entry::Pair(_) => {}
    }
}

/// The value of a pair that has nothing else.
pub(super) fn lone<'a>(
    pair: &'a Pair<impl ast::Key>,
    expected: &str,
    sink: &mut Sink,
) -> Option<&'a Value> {
    let value = single(pair, expected, sink)?;
    if let Some(options) = &pair.options {
        sink.error_at(options.span, diag::unexpected_options(&pair.key.text()));
        return None;
    }
    Some(value)
}

/// The value of a pair that has nothing else but options.
pub(super) fn single<'a>(
    pair: &'a Pair<impl ast::Key>,
    expected: &str,
    sink: &mut Sink,
) -> Option<&'a Value> {
    let value = begun(pair, expected, sink)?;
    if let Some(target) = &pair.target {
        sink.error(&target.arrow, diag::unexpected_destination(&pair.key.text()));
        return None;
    }
    Some(value)
}

/// The value of a pair, and whether what leads to it and ends it is there.
pub(super) fn begun<'a>(
    pair: &'a Pair<impl ast::Key>,
    expected: &str,
    sink: &mut Sink,
) -> Option<&'a Value> {
    let name = pair.key.text();
    if !pair.colon {
        sink.error(&pair.key, diag::missing_colon(&name, expected));
        return None;
    }
    if pair.value.is_none() && pair.target.is_none() {
        sink.error(&pair.key, diag::missing_value(&name, expected));
        return None;
    }
    // What ends an unfinished value is not known, so nothing is said about the comma after it.
    if !pair.separated && pair.last().is_some_and(Value::is_whole) {
        sink.side(pair.end(), diag::missing_comma());
    }
    let Some(value) = &pair.value else {
        sink.error(&pair.key, diag::missing_value(&name, expected));
        return None;
    };
    Some(value)
}

/// A key that stands alone.
pub(super) fn nothing(pair: &Pair, sink: &mut Sink) -> Option<()> {
    let Pair { key, colon, value, target, options, separated } = pair;
    if *colon || value.is_some() || target.is_some() || options.is_some() {
        sink.error(key, diag::unexpected_value(&key.to_string()));
        return None;
    }
    if !separated {
        sink.side(pair.end(), diag::missing_comma());
    }
    Some(())
}

fn together(owner: &Ident, keys: &Keys, seen: &Seen, sink: &mut Sink) {
    let present: Vec<&Ident> = keys.one_of.iter().filter_map(|key| seen.get(key)).collect();
    if let [_, _, ..] = present[..] {
        // The one that comes second in the source is the one too many.
        let mut order = seen.keys.iter().map(|(key, _)| key).filter(|key| present.contains(key));
        if let (Some(first), Some(second)) = (order.next(), order.next()) {
            sink.error(second, diag::exclusive(&second.to_string(), &first.to_string(), keys.of));
        }
    }
    if present.is_empty() && !keys.one_of.is_empty() && !seen.unknown {
        sink.error(owner, diag::missing_one_of(keys.of, keys.one_of));
    }
    for (key, other) in keys.needs {
        if let Some(found) = seen.get(key).filter(|_| !seen.has(other) && !present.is_empty()) {
            sink.error(found, diag::needs(key, other, keys.of));
        }
    }
    for (key, other) in keys.excludes {
        if let Some(found) = seen.get(key).filter(|_| seen.has(other)) {
            sink.error(found, diag::exclusive(key, other, keys.of));
        }
    }
}
