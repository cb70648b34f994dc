//! What rustc checks across recipes: constants of the hidden type beside the function.

use crate::diag::Disagreement;
use crate::valid::{Certain, Fact, Parent, Said};
use kiln_rules as rules;
use proc_macro2::{Ident, Span, TokenStream};
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
    let method = Ident::new(method, Span::call_site());
    match fact {
        Fact::Unsaid => None,
        Fact::Computed => Some(quote!(.#method(::core::option::Option::None))),
        Fact::Literal(literal) => {
            let text = value(literal);
            Some(quote!(.#method(::core::option::Option::Some(#text))))
        }
    }
}

/// Assertions that this recipe fits the one that it calls, each at the value that would not.
pub(super) fn agrees(
    called: Option<&Parent>,
    region: Option<&Certain>,
    instance_type: Option<&Certain>,
    texts: &Disagreement,
    cfgs: &[&Attribute],
) -> TokenStream {
    let Some(Parent { path, .. }) = called else { return TokenStream::new() };
    let other = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let assert = |at: Span, method: &str, value: &str, text: String| {
        let method = Ident::new(method, at);
        quote_spanned! {at=>
            #(#cfgs)*
            const _: () = ::core::assert!(<#path>::CHAIN.#method(#value), #text);
        }
    };
    let architecture = instance_type.map(|Certain { at, value }| {
        let of = rules::architecture(value);
        assert(*at, "executes", of, (texts.architecture)(value, of, &other))
    });
    let region = region
        .map(|Certain { at, value }| assert(*at, "lies_in", value, (texts.region)(value, &other)));
    quote! { #architecture #region }
}
