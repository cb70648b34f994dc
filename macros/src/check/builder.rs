//! The value of `builder`, and what is known of it while the recipe compiles.

use super::{Inputs, word};
use crate::ast::Pair;
use crate::diag::Sink;
use crate::schema;
use crate::valid::{Part, Said};
use proc_macro2::Ident;

/// Checks `builder: ec2 { … }`, or an expression in place of the word.
pub(super) fn check(
    pair: Pair,
    params: &[Ident],
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<(Part, Said)> {
    let checked = word::check(pair, &schema::BUILDERS, params, inputs, sink)?;
    let said =
        Said { region: checked.fact("region"), instance_type: checked.fact("instance_type") };
    Some((checked.part, said))
}
