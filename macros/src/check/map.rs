//! `{ NAME: value }`, and `[("NAME", value)]`.

use super::{keys, value};
use crate::ast::{Body, Entry, Key, Pair, Value};
use crate::diag::{self, Sink};
use crate::schema::NamedRule;
use crate::valid::{Arg, MapOf, Slot};
use kiln_rules::{self as rules, Fault};
use proc_macro2::Group;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprLit, Lit, LitStr};

/// Checks a map in braces.
pub(super) fn check(
    of: MapOf,
    rule: NamedRule,
    key: &str,
    group: &Group,
    sink: &mut Sink,
) -> Option<Arg> {
    let body = Body::read(group);
    if body.entries.is_empty() {
        sink.error(group, diag::empty_list(key));
        return None;
    }
    let mut map = Map { of, rule, key, pairs: Vec::new() };
    sink.nest(|sink| {
        for entry in body.entries {
            match entry {
                Entry::Pair(pair) => {
                    let name = LitStr::new(&pair.key.unraw().to_string(), pair.key.span());
                    map.pair(&pair, name, sink);
                }
                Entry::Quoted(pair) => map.pair(&pair, pair.key.clone(), sink),
                other => keys::stray(other, "a map", "a name", sink),
            }
        }
        if of == MapOf::Tags {
            sink.check(group, rules::tags(map.pairs.len()));
        }
        Some(())
    })?;
    Some(Arg::Map { of, pairs: map.pairs })
}

/// Judges the literals of one `("NAME", "value")`.
pub(super) fn element(of: MapOf, rule: NamedRule, element: &Expr, sink: &mut Sink) {
    let Expr::Tuple(tuple) = value::bare(element) else { return };
    let text = |expr| match value::bare(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    };
    let mut texts = tuple.elems.iter().map(text);
    let (Some(Some(name)), found) = (texts.next(), texts.next().flatten()) else { return };
    sink.check(name, named(of, &name.value()));
    if let Some(found) = found {
        sink.check(found, rule(&name.value(), &found.value()));
    }
}

struct Map<'a> {
    of: MapOf,
    rule: NamedRule,
    key: &'a str,
    pairs: Vec<(LitStr, Slot)>,
}

impl Map<'_> {
    fn pair(&mut self, pair: &Pair<impl Key>, name: LitStr, sink: &mut Sink) {
        let text = name.value();
        sink.check(&pair.key, named(self.of, &text));
        if self.pairs.iter().any(|(earlier, _)| *earlier == name) {
            sink.error(&pair.key, diag::duplicate_key(&text, &format!("`{}`", self.key)));
        }
        let Some(value) = keys::lone(pair, "a value", sink) else { return };
        self.judge(&text, value, sink);
        self.pairs.extend(value::slot(&text, "a value", value, sink).map(|slot| (name, slot)));
    }

    fn judge(&self, name: &str, value: &Value, sink: &mut Sink) {
        match (self.of, value.expr().map(value::bare)) {
            (MapOf::Json, _) => {}
            (_, Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. }))) => {
                sink.check(text, (self.rule)(name, &text.value()));
            }
            (_, Some(expr @ (Expr::Lit(_) | Expr::Array(_)))) => {
                let found = value::describe(expr);
                sink.error(value, diag::wrong_type(name, "a string", &found));
            }
            _ => {}
        }
    }
}

/// What is well formed as a name.
fn named(of: MapOf, name: &str) -> Result<(), Fault> {
    match of {
        MapOf::Text => rules::env_name(name),
        MapOf::Tags => rules::tag_key(name),
        MapOf::Json => Ok(()),
    }
}
