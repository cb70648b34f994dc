//! A word with keys of its own, as in `builder: ec2 { … }`, or an expression in place of the word; and what is known
//! of its keys while the recipe compiles.

use super::keys::{self, Seen};
use super::{Inputs, call, value};
use crate::ast::{Body, Entry, Pair, Value};
use crate::diag::{self, Sink};
use crate::schema::{Keys, Word, Words};
use crate::valid::{Arg, Call, Fact, On, Part, Slot};
use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::parse::Parse;
use syn::{Expr, ExprMethodCall};

/// A block whose word, or expression, is valid.
pub(super) struct Checked {
    /// The word; `None`: an expression that is none of ours.
    pub(super) word: Option<&'static Word>,
    pub(super) part: Part,
    seen: Seen,
    /// The methods of an expression in place of the word, with their first arguments.
    methods: Vec<(Ident, Option<Expr>)>,
}

/// Checks `key: word { … }`, or an expression in place of the word.
pub(super) fn check(
    pair: Pair,
    words: &'static Words,
    params: &[Ident],
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<Checked> {
    let called = called(pair.value.as_ref(), words);
    let on = sink.nest(|sink| {
        if let Some((word, methods)) = &called {
            for method in methods {
                let known = word.keys.known.iter().find(|key| method.method == key.name);
                if let (Some(key), Some(arg)) = (known, method.args.first()) {
                    value::expression(key.kind, key.name, value::bare(arg), inputs, sink);
                }
            }
        }
        on(&pair, words, params, sink)
    });
    let methods = called.iter().flat_map(|(_, methods)| methods);
    let methods = methods.map(|method| (method.method.clone(), method.args.first().cloned()));
    let methods = methods.collect();
    let called = called.map(|(word, _)| word);
    // Keys of what is not known are not judged.
    let (word, on) = on?;
    let word = word.or(called);
    let Pair { key, options, .. } = pair;
    let mut body = options.unwrap_or_else(|| Body::empty(key.span()));
    let mut seen = Seen::default();
    let known = word.map_or(&words.own, |word| &word.keys);
    misplaced(&mut body, words, known, &mut seen, sink);
    // A missing key is reported at the word.
    let owner = match &on {
        On::Word { word, .. } => word.clone(),
        On::Own(_) => key.clone(),
    };
    // What must be there may have been said by the expression.
    let options = match on {
        On::Word { .. } => keys::all(body, &owner, known, &mut seen, inputs, sink),
        On::Own(_) => keys::refine(body, known, &mut seen, inputs, sink),
    };
    Some(Checked { word, part: Part::Block { key, on, options }, seen, methods })
}

/// Takes out the keys that go with another word, and says so.
fn misplaced(body: &mut Body, words: &Words, known: &Keys, seen: &mut Seen, sink: &mut Sink) {
    body.entries.retain(|entry| {
        let Entry::Pair(pair) = entry else { return true };
        let name = pair.key.to_string();
        let others = words.with_key(&name);
        if others.is_empty() || known.get(&name).is_some() {
            return true;
        }
        seen.unknown = true;
        sink.error(&pair.key, diag::goes_with(&name, known.of, &others));
        false
    });
}

fn on(
    pair: &Pair,
    words: &'static Words,
    params: &[Ident],
    sink: &mut Sink,
) -> Option<(Option<&'static Word>, On)> {
    let value = keys::single(pair, words.expected, sink)?;
    let word = value.expr().filter(|_| value.is_whole()).and_then(value::word);
    if let Some(word) = word.filter(|word| !params.contains(word)) {
        let name = word.to_string();
        if let Some(known) = words.get(&name) {
            return Some((Some(known), On::Word { module: words.module, word: word.clone() }));
        }
        let instead = words.refused.iter().find(|(refused, _)| *refused == name);
        let instead = instead.map(|(_, instead)| *instead);
        sink.error(word, diag::unknown_kind(words.what, &name, &words.names(), instead));
        return None;
    }
    if let Some(expr @ (Expr::Lit(_) | Expr::Array(_))) = value.expr().map(value::bare) {
        let found = value::describe(expr);
        sink.error(value, diag::wrong_type(&pair.key.to_string(), words.expected, &found));
        return None;
    }
    let own = value::slot(&pair.key.to_string(), words.expected, value, sink)?;
    Some((None, On::Own(own)))
}

/// The word and the methods of `ec2().region("…")`; `None`: it is another function, whose arguments are its own.
fn called<'a>(
    value: Option<&'a Value>,
    words: &Words,
) -> Option<(&'static Word, Vec<&'a ExprMethodCall>)> {
    let (call, methods) = call::innermost(value?.expr()?)?;
    let mut names = call::called(call)?.segments.iter().rev().map(|segment| &segment.ident);
    let word = words.get(&names.next()?.to_string())?;
    let ours = names.all(|name| name == "kiln" || words.module.is_some_and(|own| name == own));
    ours.then_some((word, methods))
}

impl Checked {
    /// The token that stands for the whole: the word, or the key.
    pub(super) fn token(&self) -> &Ident {
        match &self.part {
            Part::Block { on: On::Word { word, .. }, .. } => word,
            Part::Block { key, .. } | Part::Call(Call { key, .. }) => key,
            Part::Layer { keyword, .. } | Part::Test { keyword, .. } => keyword,
        }
    }

    /// What is known of a key's value.
    pub(super) fn fact<L: Parse>(&self, name: &str) -> Fact<L> {
        let given = self.options().iter().find(|call| call.key == name).and_then(literal);
        let said = self.methods.iter().find(|(method, _)| method == name);
        match (given, said) {
            (Some(literal), _) => Fact::Literal(literal),
            (None, _) if self.seen.has(name) => Fact::Computed,
            (None, Some((_, arg))) => {
                arg.as_ref().and_then(bare).map_or(Fact::Computed, Fact::Literal)
            }
            // Something unknown may be this key, misspelled; and what a function of the user's says is known when
            // it runs.
            (None, None) if self.seen.unknown || self.word.is_none() => Fact::Computed,
            (None, None) => Fact::Unsaid,
        }
    }

    fn options(&self) -> &[Call] {
        match &self.part {
            Part::Block { options, .. } => options,
            _ => &[],
        }
    }
}

/// The literal that a key's value is.
pub(super) fn literal<L: Parse>(call: &Call) -> Option<L> {
    match &call.arg {
        Arg::Value(Slot::Raw(tokens)) => bare(&syn::parse2(tokens.clone()).ok()?),
        _ => None,
    }
}

/// The literal that an expression is.
pub(super) fn bare<L: Parse>(expr: &Expr) -> Option<L> {
    syn::parse2(value::bare(expr).to_token_stream()).ok()
}
