//! The valid tree: only what has been checked, ready to be written out.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, LitStr, Path, Visibility};

/// A recipe whose name and type are certain; of its content, what is valid.
pub(crate) struct Recipe {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) params: TokenStream,
    pub(crate) doc: Option<LitStr>,
    pub(crate) parent: Option<Parent>,
    pub(crate) parts: Vec<Part>,
}

/// The recipe that another one starts from.
pub(crate) struct Parent {
    /// The path that is called.
    pub(crate) path: Path,
    /// The first and the last token of the whole value of `base`.
    pub(crate) value: (Span, Span),
}

/// One call on the image's builder.
pub(crate) enum Part {
    /// `base` or `start`.
    Call(Call),
    /// `layer`, with the name's token.
    Layer { keyword: Ident, name: Ident, steps: Vec<Step> },
    /// `test`, with the name's token.
    Test { keyword: Ident, name: Ident, calls: Vec<Call> },
}

/// One call on a layer's builder.
pub(crate) enum Step {
    /// A function of `kiln::step` and the methods on what it returns.
    Known { key: Ident, args: Vec<Arg>, options: Vec<Call> },
    /// The user's own step.
    Own { key: Ident, value: Slot },
}

/// One method call: the key is the method.
pub(crate) struct Call {
    pub(crate) key: Ident,
    pub(crate) arg: Arg,
}

/// One argument.
pub(crate) enum Arg {
    /// The user's expression.
    Value(Slot),
    /// `{ NAME: value }` as an array of pairs.
    Map { of: MapOf, pairs: Vec<(LitStr, Slot)> },
}

/// What the values of a map become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapOf {
    /// Text: environment variables.
    Text,
    /// Anything that a template can show.
    Json,
}

/// Where a user's expression goes.
#[derive(Clone)]
pub(crate) enum Slot {
    /// These tokens, untouched.
    Raw(TokenStream),
    /// These tokens, untouched too, although they are no expression: rustc says why.
    Broken(TokenStream),
    /// These tokens, and then an error in place of the field or method that is not typed yet.
    Dot { receiver: TokenStream, dot: Span },
}
