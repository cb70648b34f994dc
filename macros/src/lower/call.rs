//! Keys and values as calls of methods.

use crate::diag;
use crate::valid::{Arg, Call, MapOf, On, Part, Slot, Step};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::LitStr;
use syn::ext::IdentExt as _;

/// One call on the recipe's builder.
pub(super) fn part(part: &Part) -> TokenStream {
    match part {
        Part::Call(call) => method(call),
        Part::Block { key, on, options } => {
            let on = match on {
                On::Word { module: None, word } => quote_spanned!(word.span()=> ::kiln::#word()),
                On::Word { module: Some(module), word } => {
                    let module = Ident::new(module, word.span());
                    quote_spanned!(word.span()=> ::kiln::#module::#word())
                }
                On::Own(value) if options.is_empty() => slot(value),
                On::Own(value) => {
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
        Arg::Value(_) | Arg::Map { .. } | Arg::Fields { .. } | Arg::Address(..) => None,
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
        Arg::Fields { of, calls } => {
            let of = Ident::new(of, Span::call_site());
            let calls = calls.iter().map(method);
            quote! { ::kiln::#of::new() #(#calls)* }
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

/// A name as text.
pub(super) fn literal(name: &Ident) -> LitStr {
    LitStr::new(&name.unraw().to_string(), name.span())
}
