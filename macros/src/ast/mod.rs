//! The raw tree: what stands in the source, well formed or not.
//!
//! Reading never fails on a value, a missing comma or an unknown key; holes are `None` and are reported by
//! [`crate::check`]. Only a recipe without a name is an error, because nothing can be made of it.

mod entries;
mod recipe;
mod value;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;

pub(crate) use recipe::Recipe;
pub(crate) use value::{Form, Value};

/// One thing between commas, in a recipe, a layer, a test, options or a map.
pub(crate) enum Entry {
    /// `key: value`, whole or not.
    Pair(Pair),
    /// `"key": value`, whole or not: names in a map need not be words.
    Quoted(Pair<LitStr>),
    /// `layer NAME { … }`, whole or not.
    Block(Block),
    /// Tokens that start like neither.
    Stray(TokenStream),
}

/// `key: value => target { options }`.
pub(crate) struct Pair<K = Ident> {
    pub(crate) key: K,
    /// Whether a colon follows the key.
    pub(crate) colon: bool,
    pub(crate) value: Option<Value>,
    pub(crate) target: Option<Target>,
    pub(crate) options: Option<Body>,
    /// Whether a comma, or nothing at all, follows.
    pub(crate) separated: bool,
}

/// What stands before a colon.
pub(crate) trait Key: ToTokens {
    /// Its text, for messages.
    fn text(&self) -> String;

    /// Where it stands.
    fn place(&self) -> Span;
}

impl Key for Ident {
    fn text(&self) -> String {
        self.to_string()
    }

    fn place(&self) -> Span {
        self.span()
    }
}

impl Key for LitStr {
    fn text(&self) -> String {
        self.value()
    }

    fn place(&self) -> Span {
        self.span()
    }
}

/// What follows `=>`.
pub(crate) struct Target {
    pub(crate) arrow: TokenStream,
    pub(crate) value: Option<Value>,
}

/// `keyword NAME { entries }`.
pub(crate) struct Block {
    pub(crate) keyword: Ident,
    pub(crate) name: Option<Ident>,
    pub(crate) body: Option<Body>,
}

/// Entries in braces.
pub(crate) struct Body {
    pub(crate) span: Span,
    pub(crate) close: Span,
    pub(crate) entries: Vec<Entry>,
}

impl<K: Key> Pair<K> {
    /// The value that stands last.
    pub(crate) fn last(&self) -> Option<&Value> {
        match &self.target {
            Some(target) => target.value.as_ref(),
            None => self.value.as_ref(),
        }
    }

    /// The last token, which a missing comma is reported at.
    pub(crate) fn end(&self) -> Span {
        let value = self.last();
        let last = value.and_then(|value| value.tokens.clone().into_iter().last());
        match (&self.options, last) {
            (Some(options), _) => options.close,
            (None, Some(TokenTree::Group(group))) => group.span_close(),
            (None, Some(tree)) => tree.span(),
            (None, None) => self.key.place(),
        }
    }
}

impl Body {
    /// Braces that are not there.
    pub(crate) fn empty(at: Span) -> Self {
        Self { span: at, close: at, entries: Vec::new() }
    }

    /// Reads a group in braces.
    pub(crate) fn read(group: &proc_macro2::Group) -> Self {
        Self {
            span: group.span(),
            close: group.span_close(),
            entries: entries::entries(group.stream()),
        }
    }
}
