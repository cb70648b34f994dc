//! Values against what their key takes. Only literals are judged: the rest is rustc's.

use super::{Inputs, map, replicas, volume};
use crate::ast::{Form, Value};
use crate::diag::{self, Sink};
use crate::schema::{ADDRESSES, Kind};
use crate::valid::{Arg, Slot};
use kiln_rules as rules;
use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, ExprArray, ExprLit, Lit, LitInt, LitStr};

/// Checks a value and says where it goes.
pub(super) fn check(
    kind: Kind,
    key: &str,
    value: &Value,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<Arg> {
    if let (Kind::Map(of, rule), Some(group)) = (kind, value.braces()) {
        return map::check(of, rule, key, &group, sink);
    }
    if let (Kind::Volume, Some(group)) = (kind, value.braces()) {
        return volume::check(key, &group, inputs, sink);
    }
    if let (Kind::Replicas, Some(group)) = (kind, value.braces()) {
        return replicas::check(key, &group, inputs, sink);
    }
    if let (Kind::Address, Some(word)) = (kind, value.expr().and_then(word)) {
        return address(word, key, sink);
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
        (Kind::Any | Kind::Block(_), _) => {}
        (Kind::Map(of, rule), Expr::Array(array)) => {
            array.elems.iter().for_each(|element| map::element(of, rule, element, sink));
        }
        (Kind::Text(rule), Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            sink.check(text, rule(&text.value()));
        }
        (Kind::Input(input), Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            inputs.check(text, input, sink);
        }
        (Kind::Flag, Expr::Lit(ExprLit { lit: Lit::Bool(_), .. })) => {}
        (Kind::Number | Kind::Replicas, Expr::Lit(ExprLit { lit: Lit::Int(_), .. })) => {}
        (Kind::Count(rule), Expr::Lit(ExprLit { lit: Lit::Int(count), .. })) => {
            if let Ok(number) = count.base10_parse() {
                sink.check(count, rule(number));
            }
        }
        (Kind::Ports, Expr::Array(array)) => ports(key, array, sink),
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

fn ports(key: &str, array: &ExprArray, sink: &mut Sink) {
    if array.elems.is_empty() {
        sink.error(array, diag::empty_list(key));
    }
    let mut before = Vec::new();
    for element in array.elems.iter().map(bare) {
        match element {
            Expr::Lit(ExprLit { lit: Lit::Int(port), .. }) => {
                if let Ok(number) = port.base10_parse() {
                    sink.check(port, rules::another_port(number, &before));
                    before.push(number);
                }
            }
            Expr::Lit(_) | Expr::Array(_) => {
                sink.error(element, diag::wrong_type(key, "a port number", &describe(element)));
            }
            _ => {}
        }
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

/// An expression without what does not change it.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        Expr::Group(group) => bare(&group.expr),
        Expr::Reference(reference) => bare(&reference.expr),
        other => other,
    }
}

/// The word that an expression is.
pub(super) fn word(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        _ => None,
    }
}

/// A word that stands for an address; one that is far from all of them is a name that rustc knows.
fn address(word: &Ident, key: &str, sink: &mut Sink) -> Option<Arg> {
    let name = word.to_string();
    if let Some((_, variant)) = ADDRESSES.iter().find(|(known, _)| *known == name) {
        return Some(Arg::Address(word.clone(), variant));
    }
    let words = ADDRESSES.map(|(known, _)| known);
    if rules::nearest(&name, words).is_some() {
        sink.error(word, diag::unknown_word(key, &name, &words));
        return None;
    }
    Some(Arg::Value(Slot::Raw(word.to_token_stream())))
}

pub(super) fn describe(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => "a string".into(),
        Expr::Lit(ExprLit { lit: Lit::Int(_) | Lit::Float(_), .. }) => "a number".into(),
        Expr::Array(_) => "a list".into(),
        other => format!("`{}`", other.to_token_stream()),
    }
}
