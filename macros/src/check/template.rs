//! Templates are parsed while a recipe compiles: a mistake in one is a mistake in the recipe.

use super::Inputs;
use crate::diag::{self, Sink};
use crate::valid::Slot;
use minijinja::Environment;
use std::collections::BTreeSet;
use syn::LitStr;

/// The variables of a template.
#[derive(Clone, Copy)]
pub(super) enum Vars<'a> {
    /// All that are given stand in the recipe.
    Known(&'a [(LitStr, Slot)]),
    /// They are computed, or have mistakes of their own.
    Unknown,
}

/// Checks the syntax of a template, and its variables against those given.
pub(super) fn check(path: &LitStr, vars: Vars<'_>, inputs: &Inputs, sink: &mut Sink) {
    // A file that is not there has been reported where the path was checked.
    let Some(read) = inputs.read(&path.value()) else { return };
    let name = path.value();
    let source = match read {
        Ok(source) => source,
        Err(error) => return sink.error(path, diag::unreadable_input(&name, error)),
    };
    let environment = Environment::new();
    let template = match environment.template_from_str(&source) {
        Ok(template) => template,
        Err(error) => {
            let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            return sink.error(path, diag::template_syntax(&name, error.line(), &why));
        }
    };
    let Vars::Known(given) = vars else { return };
    let builtin: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    let used: BTreeSet<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !builtin.contains(name.as_str()))
        .collect();
    let mut unused: Vec<&LitStr> =
        given.iter().map(|(name, _)| name).filter(|name| !used.contains(&name.value())).collect();
    for variable in &used {
        if given.iter().any(|(name, _)| name.value() == *variable) {
            continue;
        }
        let near = kiln_rules::nearest(variable, unused.iter().map(|name| name.value()));
        // A misspelled variable is one mistake: it is not reported as unused too.
        unused.retain(|name| Some(name.value()) != near);
        sink.error(path, diag::variable_not_given(&name, variable, near));
    }
    for variable in unused {
        sink.warn(variable.span(), diag::variable_not_used(&name, &variable.value()));
    }
}
