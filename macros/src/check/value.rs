//! Values against what their key takes. Only literals are judged: the rest is rustc's.

use super::{Inputs, keys};
use crate::ast::{Body, Entry, Form, Value};
use crate::diag::{self, Sink};
use crate::schema::{Kind, NamedRule};
use crate::valid::{Arg, MapOf, Slot};
use kiln_rules as rules;
use proc_macro2::Group;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprLit, Lit, LitInt, LitStr};

/// Checks a value and says where it goes.
pub(super) fn check(
    kind: Kind,
    key: &str,
    value: &Value,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<Arg> {
    if let (Kind::Map(of, rule), Some(group)) = (kind, value.braces()) {
        return map(of, rule, key, &group, sink);
    }
    let slot = slot(key, kind.expected(), value, sink)?;
    sink.nest(|sink| {
        if let Some(expr) = value.expr().map(bare) {
            expression(kind, key, expr, inputs, sink);
        }
        Some(Arg::Value(slot))
    })
}

/// The string literal that a value is.
pub(super) fn text(value: &Value) -> Option<LitStr> {
    match bare(value.expr()?) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

/// Where an expression goes, whatever its type.
pub(super) fn slot(key: &str, expected: &str, value: &Value, sink: &mut Sink) -> Option<Slot> {
    Some(match &value.form {
        Form::Whole(_) => Slot::Raw(value.tokens.clone()),
        Form::Dot { receiver, dot } => {
            Slot::Dot { receiver: receiver.to_token_stream(), dot: *dot }
        }
        Form::Broken => Slot::Broken(value.tokens.clone()),
        Form::Braces(group) => {
            sink.error(group, diag::wrong_type(key, expected, "braces"));
            return None;
        }
        Form::Trailing(rest) => {
            sink.error(rest, diag::unexpected_tokens(rest, "`,`"));
            return None;
        }
    })
}

/// Judges an expression of a kind, where it is a literal.
pub(super) fn expression(kind: Kind, key: &str, expr: &Expr, inputs: &Inputs, sink: &mut Sink) {
    match (kind, expr) {
        (Kind::Any, _) | (Kind::Map(..), Expr::Array(_)) => {}
        (Kind::Text(rule), Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            sink.check(text, rule(&text.value()));
        }
        (Kind::Input(input), Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            inputs.check(text, input, sink);
        }
        (Kind::Flag, Expr::Lit(ExprLit { lit: Lit::Bool(_), .. })) => {}
        (Kind::Number, Expr::Lit(ExprLit { lit: Lit::Int(_), .. })) => {}
        (Kind::Port, Expr::Lit(ExprLit { lit: Lit::Int(port), .. })) => {
            if let Ok(number) = port.base10_parse() {
                sink.check(port, rules::port(number));
            }
        }
        (Kind::Mode, Expr::Lit(ExprLit { lit: Lit::Int(digits), .. })) => mode(digits, sink),
        (Kind::List(rule), Expr::Array(array)) => {
            if array.elems.is_empty() {
                sink.error(array, diag::empty_list(key));
            }
            for element in &array.elems {
                expression(Kind::Text(rule), key, bare(element), inputs, sink);
            }
        }
        (_, Expr::Lit(_) | Expr::Array(_)) => {
            sink.error(expr, diag::wrong_type(key, kind.expected(), &describe(expr)));
        }
        _ => {}
    }
}

fn mode(literal: &LitInt, sink: &mut Sink) {
    let written = literal.to_string();
    if !written.starts_with("0o") && written != "0" {
        sink.error(literal, diag::decimal_mode(literal.base10_digits()));
    } else if let Ok(mode) = literal.base10_parse() {
        sink.check(literal, rules::mode(mode));
    }
}

fn map(of: MapOf, rule: NamedRule, key: &str, group: &Group, sink: &mut Sink) -> Option<Arg> {
    let body = Body::read(group);
    if body.entries.is_empty() {
        sink.error(group, diag::empty_list(key));
        return None;
    }
    let mut pairs: Vec<(LitStr, Slot)> = Vec::new();
    sink.nest(|sink| {
        for entry in body.entries {
            let pair = match entry {
                Entry::Pair(pair) => pair,
                other => {
                    keys::stray(other, "a map", "a name", sink);
                    continue;
                }
            };
            let name = pair.key.unraw().to_string();
            if of == MapOf::Text {
                sink.check(&pair.key, rules::env_name(&name));
            }
            let text = LitStr::new(&name, pair.key.span());
            if pairs.iter().any(|(earlier, _)| *earlier == text) {
                sink.error(&pair.key, diag::duplicate_key(&name, &format!("`{key}`")));
            }
            let Some(value) = keys::lone(&pair, "a value", sink) else { continue };
            judge(of, rule, &name, value, sink);
            pairs.extend(slot(&name, "a value", value, sink).map(|slot| (text, slot)));
        }
        Some(())
    })?;
    Some(Arg::Map { of, pairs })
}

fn judge(of: MapOf, rule: NamedRule, name: &str, value: &Value, sink: &mut Sink) {
    match (of, value.expr().map(bare)) {
        (MapOf::Text, Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. }))) => {
            sink.check(text, rule(name, &text.value()));
        }
        (MapOf::Text, Some(expr @ (Expr::Lit(_) | Expr::Array(_)))) => {
            sink.error(value, diag::wrong_type(name, "a string", &describe(expr)));
        }
        _ => {}
    }
}

/// An expression without what does not change it.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        Expr::Group(group) => bare(&group.expr),
        Expr::Reference(reference) => bare(&reference.expr),
        other => other,
    }
}

fn describe(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => "a string".into(),
        Expr::Lit(ExprLit { lit: Lit::Int(_) | Lit::Float(_), .. }) => "a number".into(),
        Expr::Array(_) => "a list".into(),
        other => format!("`{}`", other.to_token_stream()),
    }
}
