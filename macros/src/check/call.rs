//! Calls in the user's expressions: which recipe is called, and with which methods after it.

use crate::ast::Value;
use crate::valid::Parent;
use proc_macro2::{Ident, Span};
use syn::{Expr, ExprCall, ExprMethodCall, Path, PathArguments};

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
