//! The literals of the bases that `kiln` brings.

use super::call::{called, innermost};
use super::{Inputs, value};
use crate::ast::Value;
use crate::diag::Sink;
use crate::schema::BASES;

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
