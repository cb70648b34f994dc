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
    pub(crate) said: Said,
    pub(crate) parts: Vec<Part>,
}

/// The recipe that another one starts from.
pub(crate) struct Parent {
    /// The path that is called.
    pub(crate) path: Path,
    /// The first and the last token of the whole value of `base`.
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
pub(crate) enum Fact {
    /// There is none: the base image's holds.
    #[default]
    Unsaid,
    /// It is computed when the recipe runs.
    Computed,
    /// It is this one.
    Literal(LitStr),
}

/// One call on the image's builder.
pub(crate) enum Part {
    /// `base` or `start`.
    Call(Call),
    /// `builder`, with what it stands for and the methods on it.
    Builder { key: Ident, on: Builder, options: Vec<Call> },
    /// `layer`, with the name's token.
    Layer { keyword: Ident, name: Ident, steps: Vec<Step> },
    /// `test`, with the name's token.
    Test { keyword: Ident, name: Ident, calls: Vec<Call> },
}

/// Where an image is baked.
pub(crate) enum Builder {
    /// The word `ec2`.
    Ec2(Ident),
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
    /// A volume by its methods.
    Volume(Vec<Call>),
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
