use super::Body;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Visibility};

/// `pub web(version: &str) { … }`.
pub(crate) struct Recipe {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    /// The parameters with their parentheses.
    pub(crate) params: Option<Group>,
    pub(crate) body: Option<Body>,
    /// What follows the recipe, or stands where its braces should.
    pub(crate) rest: TokenStream,
}

impl Recipe {
    /// Reads a recipe. `example` is what to write where there is none.
    ///
    /// # Errors
    /// When there is no name.
    pub(crate) fn parse(input: TokenStream, example: &str) -> syn::Result<Self> {
        let read = |input: ParseStream<'_>| Self::read(input, example);
        read.parse2(input)
    }

    fn read(input: ParseStream<'_>, example: &str) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected a recipe\nhelp: write `{example}`")));
        }
        let name = input.call(Ident::parse_any)?;
        let params = group(input, Delimiter::Parenthesis)?;
        let body = group(input, Delimiter::Brace)?.map(|group| Body::read(&group));
        Ok(Self { attrs, vis, name, params, body, rest: input.parse()? })
    }
}

fn group(input: ParseStream<'_>, delimiter: Delimiter) -> syn::Result<Option<Group>> {
    input.step(|cursor| match cursor.token_tree() {
        Some((TokenTree::Group(group), rest)) if group.delimiter() == delimiter => {
            Ok((Some(group), rest))
        }
        _ => Ok((None, *cursor)),
    })
}
