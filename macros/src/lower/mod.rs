//! Writes the builder calls. Infallible: everything it is given is valid.
//!
//! A call takes the span of the user's token, not only its name but all of it: the model's builders take a
//! node's origin from their caller's location, which is where the call starts. The span is the token's own
//! and not one of this macro, for which rustc would name the place of the macro instead.

mod beside;
mod call;

use crate::diag::{Sink, WITH_BASE, WITH_IMAGE};
use crate::valid::{Certain, Deployment, Head, Image, Part};
use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Attribute;

/// The function of an image, and the type beside it.
pub(crate) fn image(image: &Image, sink: Sink) -> TokenStream {
    let Image { head, parent, said, parts } = image;
    let (name, vis, cfgs) = (&head.name, &head.vis, cfgs(head));
    let span = name.span();
    let text = call::literal(name);
    let new = quote_spanned!(span=> ::kiln::Image::new(#text, ::core::env!("CARGO_MANIFEST_DIR")));
    let function = function(head, "Image", &new, parts);
    let chain = beside::chain(name, parent.as_ref(), said);
    let region = said.region.literal().map(Certain::from);
    let instance_type = said.instance_type.literal().map(Certain::from);
    let agrees =
        beside::agrees(parent.as_ref(), region.as_ref(), instance_type.as_ref(), &WITH_BASE, &cfgs);
    let reports = sink.into_items(&cfgs);
    let beside = quote_spanned!(span=> enum #name {});
    // The reports come last, so that the function's text is the same whether there are any or not: an
    // editor that completes in the expansion compares the two by offset.
    quote! {
        #function
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #vis #beside
        #(#cfgs)*
        #chain
        #agrees
        #reports
    }
}

/// The function of a deployment. No other recipe is built on it, so there is no type beside it.
pub(crate) fn deployment(deployment: &Deployment, sink: Sink) -> TokenStream {
    let Deployment { head, image, region, instance_type, parts } = deployment;
    let cfgs = cfgs(head);
    let text = call::literal(&head.name);
    let new = quote_spanned!(head.name.span()=> ::kiln::Deployment::new(#text));
    let function = function(head, "Deployment", &new, parts);
    let (region, instance_type) = (region.as_ref(), instance_type.as_ref());
    let agrees = beside::agrees(image.as_ref(), region, instance_type, &WITH_IMAGE, &cfgs);
    let reports = sink.into_items(&cfgs);
    quote! { #function #agrees #reports }
}

/// The function that returns a type of `kiln`: what `new` makes, and one call a part.
fn function(head: &Head, returns: &str, new: &TokenStream, parts: &[Part]) -> TokenStream {
    let Head { attrs, vis, name, params, doc } = head;
    let span = name.span();
    let doc = doc.as_ref().map(|doc| quote_spanned!(span=> .doc(#doc)));
    let parts = parts.iter().map(call::part);
    let mut body = Group::new(Delimiter::Brace, quote_spanned!(span=> #new #doc #(#parts)*));
    body.set_span(span);
    let returns = Ident::new(returns, span);
    let function = quote_spanned!(span=> fn #name #params -> ::kiln::#returns);
    quote! {
        #(#attrs)*
        // `base: { helper() }` is how a recipe says that it calls no other recipe.
        #[allow(unused_braces)]
        #vis #function #body
    }
}

/// The conditions under which a recipe is there.
fn cfgs(head: &Head) -> Vec<&Attribute> {
    head.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect()
}
