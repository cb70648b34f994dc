//! What all recipes have: a name, parameters, documentation.

use crate::ast::{self, Body};
use crate::diag::{self, Sink};
use crate::schema::Declared;
use crate::valid::Head;
use kiln_rules as rules;
use proc_macro2::{Group, Ident, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, FnArg, Lit, LitStr, Meta, Pat, Token};

/// What stands around the content of a recipe, and the content.
pub(super) struct Split {
    pub(super) head: Head,
    /// The names of its parameters.
    pub(super) params: Vec<Ident>,
    pub(super) body: Option<Body>,
    pub(super) rest: TokenStream,
}

/// Takes a recipe apart. Its name and its braces are checked.
pub(super) fn split(raw: ast::Recipe, declared: &Declared, sink: &mut Sink) -> Split {
    let ast::Recipe { attrs, vis, name, params, body, rest } = raw;
    sink.check(&name, rules::node(&name.unraw().to_string()));
    if body.is_none() {
        sink.error(&name, diag::missing_braces(&format!("the name of the {}", declared.what)));
    }
    let names = parameters(params.as_ref());
    let params = match params {
        Some(group) => group.to_token_stream(),
        None => quote::quote_spanned!(name.span()=> ()),
    };
    let head = Head { doc: doc(&attrs), attrs, vis, name, params };
    Split { head, params: names, body, rest }
}

/// Reports what follows a recipe of which something was understood.
pub(super) fn end(rest: &TokenStream, understood: bool, declared: &Declared, sink: &mut Sink) {
    if !rest.is_empty() && understood {
        sink.error(rest, diag::after_recipe(rest, declared.by));
    }
}

/// The names of a recipe's parameters. What is malformed about them is for rustc to say.
fn parameters(params: Option<&Group>) -> Vec<Ident> {
    let Some(group) = params else { return Vec::new() };
    let parsed = Punctuated::<FnArg, Token![,]>::parse_terminated.parse2(group.stream());
    let name = |arg: &FnArg| match arg {
        FnArg::Typed(arg) => match &*arg.pat {
            Pat::Ident(pat) => Some(pat.ident.clone()),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    };
    parsed.map(|args| args.iter().filter_map(name).collect()).unwrap_or_default()
}

/// The text of the doc comment, without the space that follows `///`.
fn doc(attrs: &[Attribute]) -> Option<LitStr> {
    let lines: Vec<LitStr> = attrs.iter().filter_map(doc_line).collect();
    let first = lines.first()?;
    let text: Vec<String> = lines
        .iter()
        .map(|line| line.value())
        .map(|l| l.strip_prefix(' ').unwrap_or(&l).to_owned())
        .collect();
    Some(LitStr::new(text.join("\n").trim(), first.span()))
}

fn doc_line(attr: &Attribute) -> Option<LitStr> {
    match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
