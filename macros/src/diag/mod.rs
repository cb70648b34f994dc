//! Collects the mistakes of a recipe, so that all are reported together, and holds their texts.

mod across;
mod text;

pub(crate) use across::{Disagreement, WITH_BASE, WITH_IMAGE};
pub(crate) use text::*;

use kiln_rules::Fault;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Attribute;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Sink {
    errors: Vec<syn::Error>,
    beside: Vec<syn::Error>,
    warnings: Vec<(Span, String)>,
}

impl Sink {
    /// Notes a mistake about these tokens.
    pub(crate) fn error(&mut self, at: impl ToTokens, fault: Fault) {
        self.errors.push(syn::Error::new_spanned(at, message(fault)));
    }

    /// Notes a mistake about a place.
    pub(crate) fn error_at(&mut self, at: Span, fault: Fault) {
        self.errors.push(syn::Error::new(at, message(fault)));
    }

    /// Notes a mistake beside what is being checked, which is valid all the same.
    pub(crate) fn side(&mut self, at: Span, fault: Fault) {
        self.beside.push(syn::Error::new(at, message(fault)));
    }

    /// Notes what a rule found.
    pub(crate) fn check<T>(&mut self, at: impl ToTokens, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.error(at, fault)).ok()
    }

    /// Notes something that does no harm.
    pub(crate) fn warn(&mut self, at: Span, message: String) {
        self.warnings.push((at, message));
    }

    /// How many mistakes there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// Runs one subtree's checks; a subtree in which a mistake was found yields nothing.
    pub(crate) fn nest<T>(&mut self, checks: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.errors.len();
        let checked = checks(self);
        checked.filter(|_| self.errors.len() == before)
    }

    /// The items that make rustc report everything, each at its place.
    /// Under the recipe's own conditions: one that is configured away says nothing.
    pub(crate) fn into_items(self, cfgs: &[&Attribute]) -> TokenStream {
        let errors = self.errors.into_iter().chain(self.beside).map(syn::Error::into_compile_error);
        let warnings = self.warnings.into_iter().map(|(span, text)| warning(span, &text));
        errors.chain(warnings).map(|item| quote! { #(#cfgs)* #item }).collect()
    }
}

/// The one way to raise a warning from a macro on stable Rust: to use something deprecated.
fn warning(span: Span, text: &str) -> TokenStream {
    quote_spanned! {span=>
        #[allow(non_upper_case_globals)]
        const _: () = {
            #[deprecated(note = #text)]
            const unused_template_variable: () = ();
            unused_template_variable
        };
    }
}

/// An expression of no particular type that reports a mistake.
pub(crate) fn expression(at: Span, fault: Fault) -> TokenStream {
    let text = message(fault);
    quote_spanned!(at=> ::core::compile_error!(#text))
}

fn message(fault: Fault) -> String {
    match fault.help {
        None => fault.message,
        Some(help) => format!("{}\nhelp: {help}", fault.message),
    }
}
