//! Writes the builder calls. Infallible: everything it is given is valid.
//!
//! A call takes the span of the user's token, not only its name but all of it: the model's builders take a
//! node's origin from their caller's location, which is where the call starts. The span is the token's own
//! and not one of this macro, for which rustc would name the place of `image!` instead.

mod beside;

use crate::diag::{self, Sink};
use crate::valid::{Arg, Builder, Call, MapOf, Part, Recipe, Slot, Step};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::LitStr;
use syn::ext::IdentExt as _;

pub(crate) fn recipe(recipe: &Recipe, sink: Sink) -> TokenStream {
    let Recipe { attrs, vis, name, params, doc, parent, said, parts } = recipe;
    let span = name.span();
    let text = literal(name);
    let doc = doc.as_ref().map(|doc| quote_spanned!(span=> .doc(#doc)));
    let parts = parts.iter().map(part);
    let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect::<Vec<_>>();
    let chain = beside::chain(name, parent.as_ref(), said);
    let agrees = beside::agrees(parent.as_ref(), said, &cfgs);
    let reports = sink.into_items(&cfgs);
    let mut body = Group::new(
        Delimiter::Brace,
        quote_spanned! {span=>
            ::kiln::Image::new(#text, ::core::env!("CARGO_MANIFEST_DIR")) #doc #(#parts)*
        },
    );
    body.set_span(span);
    // The reports come last, so that the function's text is the same whether there are any or not: an
    // editor that completes in the expansion compares the two by offset.
    let function = quote_spanned!(span=> fn #name #params -> ::kiln::Image);
    let beside = quote_spanned!(span=> enum #name {});
    quote! {
        #(#attrs)*
        // `base: { helper() }` is how a recipe says that it calls no other recipe.
        #[allow(unused_braces)]
        #vis #function #body
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

fn part(part: &Part) -> TokenStream {
    match part {
        Part::Call(call) => method(call),
        Part::Builder { key, on, options } => {
            let on = match on {
                Builder::Ec2(word) => quote_spanned!(word.span()=> ::kiln::#word()),
                Builder::Own(value) if options.is_empty() => slot(value),
                Builder::Own(value) => {
                    let value = slot(value);
                    let (_, last) = ends(&value).unwrap_or((key.span(), key.span()));
                    parentheses(last, value).into_token_stream()
                }
            };
            let options = options.iter().map(method);
            invoke(key, quote! { #on #(#options)* })
        }
        Part::Layer { keyword, name, steps } => {
            let text = literal(name);
            let steps = steps.iter().map(step);
            let new = quote_spanned!(name.span()=> ::kiln::Layer::new(#text));
            invoke(keyword, quote! { #new #(#steps)* })
        }
        Part::Test { keyword, name, calls } => {
            let text = literal(name);
            let calls = calls.iter().map(method);
            let new = quote_spanned!(name.span()=> ::kiln::Test::new(#text));
            invoke(keyword, quote! { #new #(#calls)* })
        }
    }
}

fn step(step: &Step) -> TokenStream {
    match step {
        Step::Known { key, args, options } => {
            let span = args.iter().find_map(broken).unwrap_or_else(|| key.span());
            let args = args.iter().map(arg);
            let options = options.iter().map(method);
            let args = parentheses(span, quote! { #(#args),* });
            let new = quote_spanned!(key.span()=> ::kiln::step::#key #args);
            let add = Ident::new("step", key.span());
            invoke(&add, quote! { #new #(#options)* })
        }
        Step::Own { key, value } => {
            method(&Call { key: key.clone(), arg: Arg::Value(value.clone()) })
        }
    }
}

fn method(Call { key, arg: value }: &Call) -> TokenStream {
    let args = parentheses(broken(value).unwrap_or_else(|| key.span()), arg(value));
    quote_spanned!(key.span()=> .#key #args)
}

fn invoke(method: &Ident, args: TokenStream) -> TokenStream {
    let args = parentheses(method.span(), args);
    quote_spanned!(method.span()=> .#method #args)
}

/// Where an argument breaks off: rustc reports what is missing at the parenthesis after it.
fn broken(arg: &Arg) -> Option<Span> {
    match arg {
        Arg::Value(Slot::Broken(tokens)) => ends(tokens).map(|(_, last)| last),
        Arg::Value(_) | Arg::Map { .. } | Arg::Volume(_) | Arg::Address(..) => None,
    }
}

fn parentheses(span: Span, content: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, content);
    group.set_span(span);
    group
}

fn arg(arg: &Arg) -> TokenStream {
    match arg {
        Arg::Value(value) => slot(value),
        Arg::Volume(calls) => {
            let calls = calls.iter().map(method);
            quote! { ::kiln::Volume::new() #(#calls)* }
        }
        Arg::Address(word, variant) => {
            let variant = Ident::new(variant, word.span());
            quote_spanned!(word.span()=> ::kiln::Address::#variant)
        }
        Arg::Map { of, pairs } => {
            let pairs = pairs.iter().map(|(name, value)| {
                let value = slot(value);
                // A value that cannot be converted is reported at the conversion.
                let (first, last) = ends(&value).unwrap_or((name.span(), name.span()));
                let from = quote_spanned!(last=> ::from);
                let into = match of {
                    MapOf::Text | MapOf::Tags => {
                        quote_spanned!(first=> ::std::string::String #from)
                    }
                    MapOf::Json => quote_spanned!(first=> ::kiln::step::Value #from),
                };
                let value = parentheses(last, value);
                quote_spanned!(name.span()=> (#name, #into #value))
            });
            quote! { [#(#pairs),*] }
        }
    }
}

fn slot(slot: &Slot) -> TokenStream {
    match slot {
        Slot::Raw(tokens) | Slot::Broken(tokens) => tokens.clone(),
        // An operand that is an error has no type, so rustc reports it and nothing after it, while the
        // receiver stays an expression that an editor finds the methods of.
        Slot::Dot { receiver, dot } => {
            let error = diag::expression(*dot, diag::after_dot());
            quote_spanned!(*dot=> #receiver + #error)
        }
    }
}

/// The places of the first and the last token.
fn ends(tokens: &TokenStream) -> Option<(Span, Span)> {
    let mut trees = tokens.clone().into_iter().map(|tree| tree.span());
    let first = trees.next()?;
    Some((first, trees.last().unwrap_or(first)))
}

fn literal(name: &Ident) -> LitStr {
    LitStr::new(&name.unraw().to_string(), name.span())
}
