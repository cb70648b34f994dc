//! The valid tree: only what has been checked, ready to be written out.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, LitStr, Path, Visibility};

/// What makes a function of a recipe: its name and its type are certain, whatever its content.
pub(crate) struct Head {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) params: TokenStream,
    pub(crate) doc: Option<LitStr>,
}

/// An image; of its content, what is valid.
pub(crate) struct Image {
    pub(crate) head: Head,
    pub(crate) parent: Option<Parent>,
    pub(crate) said: Said,
    pub(crate) parts: Vec<Part>,
}

/// A deployment; of its content, what is valid.
pub(crate) struct Deployment {
    pub(crate) head: Head,
    pub(crate) image: Option<Parent>,
    pub(crate) region: Option<Certain>,
    pub(crate) instance_type: Option<Certain>,
    pub(crate) parts: Vec<Part>,
}

/// The recipe that another one starts from.
pub(crate) struct Parent {
    /// The path that is called.
    pub(crate) path: Path,
    /// The first and the last token of the whole value that calls it.
    pub(crate) value: (Span, Span),
}

/// What a recipe says of where it is baked, as far as it is known while it compiles.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) region: Fact,
    pub(crate) instance_type: Fact,
}

/// What is known of a value.
#[derive(Default)]
pub(crate) enum Fact<L = LitStr> {
    /// There is none: a default holds, or what the base image says.
    #[default]
    Unsaid,
    /// It is computed when the recipe runs, or it is wrong, which has been reported.
    Computed,
    /// It is this one.
    Literal(L),
}

impl<L> Fact<L> {
    /// What it is, where it is known.
    pub(crate) fn literal(&self) -> Option<&L> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Unsaid | Self::Computed => None,
        }
    }
}

/// A value that is known while the recipe compiles, and where it was said.
pub(crate) struct Certain {
    pub(crate) at: Span,
    pub(crate) value: String,
}

impl From<&LitStr> for Certain {
    fn from(literal: &LitStr) -> Self {
        Self { at: literal.span(), value: literal.value() }
    }
}

/// One call on the recipe's builder.
pub(crate) enum Part {
    /// A key and its value.
    Call(Call),
    /// A key whose value has methods: `builder`, `health`.
    Block { key: Ident, on: On, options: Vec<Call> },
    /// `layer`, with the name's token.
    Layer { keyword: Ident, name: Ident, steps: Vec<Step> },
    /// `test`, with the name's token.
    Test { keyword: Ident, name: Ident, calls: Vec<Call> },
}

/// What the methods of a block are called on.
pub(crate) enum On {
    /// The function of this name, in a module of `kiln` or in `kiln` itself.
    Word { module: Option<&'static str>, word: Ident },
    /// The user's expression.
    Own(Slot),
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
    /// A type of `kiln`, by its methods.
    Fields { of: &'static str, calls: Vec<Call> },
    /// A word, and the variant of `kiln::Address` that it stands for.
    Address(Ident, &'static str),
}

/// What the values of a map become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapOf {
    /// Text: environment variables.
    Text,
    /// Text whose names need not be words: tags.
    Tags,
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
