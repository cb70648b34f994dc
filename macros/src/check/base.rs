//! The value of `base`: which recipe it starts from, and the literals of the bases that `kiln` brings.

use super::{Inputs, value};
use crate::ast::Value;
use crate::diag::Sink;
use crate::schema::BASES;
use crate::valid::Parent;
use proc_macro2::{Group, Ident, Span};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprCall, ExprMethodCall, FnArg, Pat, Path, PathArguments, Token};

/// The names of a recipe's parameters. What is malformed about them is for rustc to say.
pub(super) fn parameters(params: Option<&Group>) -> Vec<Ident> {
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

/// The recipe that is called; `None`: there is none to be seen, as in a block or a variable.
pub(super) fn parent(value: &Value, params: &[Ident]) -> Option<Parent> {
    let (call, _) = innermost(value.expr()?)?;
    let mut path = called(call)?.clone();
    for segment in &mut path.segments {
        segment.arguments = PathArguments::None;
    }
    let names: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
    let of_type = |name: &Ident| name.to_string().starts_with(|c: char| c.is_uppercase());
    let own = match names[..] {
        // A function of a type, such as `Base::from`, or a value that happens to be callable.
        [.., before, _] => of_type(before),
        [name] => of_type(name) || params.contains(name),
        [] => true,
    };
    if own {
        return None;
    }
    let mut trees = value.tokens.clone().into_iter();
    let first = trees.next().map_or_else(Span::call_site, |tree| tree.span());
    let last = trees.last().map_or(first, |tree| tree.span());
    Some(Parent { path, value: (first, last) })
}

/// Judges the literals in `debian("…").include(["…"])` and its like.
pub(super) fn check(value: &Value, inputs: &Inputs, sink: &mut Sink) {
    let Some((call, methods)) = value.expr().and_then(innermost) else { return };
    let Some(path) = called(call) else { return };
    let ours = path.segments.len() == 1 || path.segments[0].ident == "kiln";
    let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let Some(base) = BASES.iter().find(|base| ours && base.name == name) else { return };
    for (kind, arg) in base.args.iter().zip(&call.args) {
        value::expression(*kind, base.name, value::bare(arg), inputs, sink);
    }
    for method in methods {
        let known = base.methods.iter().find(|(name, _)| method.method == name);
        if let (Some((name, kind)), Some(arg)) = (known, method.args.first()) {
            value::expression(*kind, name, value::bare(arg), inputs, sink);
        }
    }
}

/// The call that a chain of methods starts from, and the methods.
pub(super) fn innermost(expr: &Expr) -> Option<(&ExprCall, Vec<&ExprMethodCall>)> {
    let mut methods = Vec::new();
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Call(call) => return Some((call, methods)),
            Expr::MethodCall(call) => {
                methods.push(call);
                &call.receiver
            }
            Expr::Paren(inner) => &inner.expr,
            Expr::Group(inner) => &inner.expr,
            Expr::Try(inner) => &inner.expr,
            Expr::Field(inner) => &inner.base,
            _ => return None,
        };
    }
}

pub(super) fn called(call: &ExprCall) -> Option<&Path> {
    match &*call.func {
        Expr::Path(func) if func.qself.is_none() => Some(&func.path),
        _ => None,
    }
}
