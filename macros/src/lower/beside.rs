//! What rustc checks across recipes: constants of the hidden type beside the function.

use crate::diag;
use crate::valid::{Fact, Parent, Said};
use kiln_rules as rules;
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, LitStr};

/// What stands below this recipe. rustc reports a cycle at the `impl`, which therefore spans the value of `base`.
pub(super) fn chain(name: &Ident, parent: Option<&Parent>, said: &Said) -> TokenStream {
    let (first, last) = parent.map_or((name.span(), name.span()), |parent| parent.value);
    let below = match parent {
        Some(Parent { path, .. }) => quote_spanned!(first=> <#path>::CHAIN.above()),
        None => quote_spanned!(first=> ::kiln::Chain::UNKNOWN),
    };
    let region = fact(&said.region, "region", |region| region.value());
    let architecture = fact(&said.instance_type, "architecture", |name| {
        rules::architecture(&name.value()).to_owned()
    });
    let mut name = name.clone();
    name.set_span(last);
    let body = quote_spanned! {first=>
        { pub const CHAIN: ::kiln::Chain = #below #region #architecture; }
    };
    let head = quote_spanned!(first=> impl);
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        #head #name #body
    }
}

fn fact(fact: &Fact, method: &str, value: fn(&LitStr) -> String) -> Option<TokenStream> {
    let method = Ident::new(method, proc_macro2::Span::call_site());
    match fact {
        Fact::Unsaid => None,
        Fact::Computed => Some(quote!(.#method(::core::option::Option::None))),
        Fact::Literal(literal) => {
            let text = value(literal);
            Some(quote!(.#method(::core::option::Option::Some(#text))))
        }
    }
}

/// Assertions that this recipe can be baked on top of its base image, each at the value that would not fit.
pub(super) fn agrees(parent: Option<&Parent>, said: &Said, cfgs: &[&Attribute]) -> TokenStream {
    let Some(Parent { path, .. }) = parent else { return TokenStream::new() };
    let base = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let assert = |literal: &LitStr, method: &str, value: &str, text: String| {
        let method = Ident::new(method, literal.span());
        quote_spanned! {literal.span()=>
            #(#cfgs)*
            const _: () = ::core::assert!(<#path>::CHAIN.#method(#value), #text);
        }
    };
    let architecture = match &said.instance_type {
        Fact::Literal(literal) => {
            let name = literal.value();
            let of = rules::architecture(&name);
            let text = diag::other_architecture(&name, of, &base);
            Some(assert(literal, "executes", of, text))
        }
        _ => None,
    };
    let region = match &said.region {
        Fact::Literal(literal) => {
            let name = literal.value();
            let text = diag::other_region(&name, &base);
            Some(assert(literal, "lies_in", &name, text))
        }
        _ => None,
    };
    quote! { #architecture #region }
}
