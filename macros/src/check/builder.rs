//! The value of `builder`: what it stands for, its keys, and what is known of them while the recipe compiles.

use super::keys::{self, Seen};
use super::{Inputs, base, value};
use crate::ast::{Body, Pair, Value};
use crate::diag::{self, Sink};
use crate::schema;
use crate::valid::{Arg, Builder, Call, Fact, Part, Said, Slot};
use proc_macro2::Ident;
use syn::{Expr, ExprLit, ExprMethodCall, Lit};

/// Checks `builder: ec2 { … }`, or an expression in place of the word.
pub(super) fn check(
    pair: Pair,
    params: &[Ident],
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<(Part, Said)> {
    let called = methods(pair.value.as_ref());
    let ours = called.is_some();
    let methods = called.unwrap_or_default();
    let on = sink.nest(|sink| {
        for method in &methods {
            let known = schema::EC2.known.iter().find(|key| method.method == key.name);
            if let (Some(key), Some(arg)) = (known, method.args.first()) {
                value::expression(key.kind, key.name, value::bare(arg), inputs, sink);
            }
        }
        builder(&pair, params, sink)
    });
    let Pair { key, options, .. } = pair;
    let body = options.unwrap_or_else(|| Body::empty(key.span()));
    let mut seen = Seen::default();
    // Keys of what is not known are not judged.
    let on = on?;
    let options = keys::all(body, &key, &schema::EC2, &mut seen, inputs, sink);
    let fact = |name: &str| {
        let given = options.iter().find(|call| call.key == name).and_then(literal);
        let method = methods.iter().find(|method| method.method == name);
        match (given, method.and_then(|method| method.args.first())) {
            (Some(text), _) => Fact::Literal(text),
            (None, _) if seen.has(name) => Fact::Computed,
            (None, Some(arg)) => text(arg).map_or(Fact::Computed, Fact::Literal),
            // What a function of the user's says is known when it runs.
            (None, None) if matches!(on, Builder::Own(_)) && !ours => Fact::Computed,
            (None, None) => Fact::Unsaid,
        }
    };
    let said = Said { region: fact("region"), instance_type: fact("instance_type") };
    Some((Part::Builder { key, on, options }, said))
}

fn builder(pair: &Pair, params: &[Ident], sink: &mut Sink) -> Option<Builder> {
    let value = keys::single(pair, "`ec2`", sink)?;
    let word = value.expr().filter(|_| value.is_whole()).and_then(value::word);
    match word.filter(|word| !params.contains(word)) {
        Some(word) if word == "ec2" => Some(Builder::Ec2(word.clone())),
        Some(word) => {
            sink.error(word, diag::unknown_builder(&word.to_string()));
            None
        }
        None => {
            if let Some(expr @ (Expr::Lit(_) | Expr::Array(_))) = value.expr().map(value::bare) {
                let found = value::describe(expr);
                sink.error(value, diag::wrong_type("builder", "`ec2`", &found));
                return None;
            }
            value::slot("builder", "`ec2`", value, sink).map(Builder::Own)
        }
    }
}

/// The methods of `ec2().region("…")`; `None`: it is another function, whose arguments are its own.
fn methods(value: Option<&Value>) -> Option<Vec<&ExprMethodCall>> {
    let (call, methods) = base::innermost(value?.expr()?)?;
    let mut names = base::called(call)?.segments.iter().rev().map(|segment| &segment.ident);
    let ours = names.next()? == "ec2" && names.all(|name| name == "kiln");
    ours.then_some(methods)
}

fn literal(call: &Call) -> Option<syn::LitStr> {
    match &call.arg {
        Arg::Value(Slot::Raw(tokens)) => syn::parse2(tokens.clone()).ok(),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<syn::LitStr> {
    match value::bare(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}
