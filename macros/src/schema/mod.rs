//! The words of the DSL, as tables: which keys there are, what each takes, which go together.
//!
//! A step that is added to the model is added to [`steps`], and nowhere else.

mod blocks;
mod builder;
mod deployment;
mod steps;
mod words;

pub(crate) use blocks::{BASES, IMAGE, LAYER_ONLY, TEST};
pub(crate) use builder::{ADDRESSES, BUILDERS, VOLUME};
pub(crate) use deployment::{DEPLOYMENT, REPLICAS};
pub(crate) use steps::STEPS;
pub(crate) use words::{Word, Words};

use crate::valid::MapOf;
use kiln_rules::Fault;

/// What is well formed, from `kiln-rules`.
pub(crate) type Rule = fn(&str) -> Result<(), Fault>;

/// What is well formed as the value of a name.
pub(crate) type NamedRule = fn(&str, &str) -> Result<(), Fault>;

/// What is well formed as a whole number.
pub(crate) type CountRule = fn(u64) -> Result<(), Fault>;

/// What a macro makes of a recipe.
pub(crate) struct Declared {
    /// Its name, for messages.
    pub(crate) what: &'static str,
    /// The macro, with its exclamation mark.
    pub(crate) by: &'static str,
    /// A recipe to begin with.
    pub(crate) example: &'static str,
}

/// What `image!` makes.
pub(crate) const AN_IMAGE: Declared = Declared {
    what: "image",
    by: "image!",
    example: "pub name { base: debian(\"bookworm\"), layer packages { … } }",
};

/// What `deployment!` makes.
pub(crate) const A_DEPLOYMENT: Declared = Declared {
    what: "deployment",
    by: "deployment!",
    example: "pub name { image: web(), target: ec2 { region: \"eu-west-1\" }, replicas: 3 }",
};

/// A set of keys in braces.
pub(crate) struct Keys {
    /// What has these keys, for messages.
    pub(crate) of: &'static str,
    /// All keys.
    pub(crate) known: &'static [Key],
    /// Exactly one of these must be there, if there are any.
    pub(crate) one_of: &'static [&'static str],
    /// The first of a pair is only allowed beside the second.
    pub(crate) needs: &'static [(&'static str, &'static str)],
    /// The two of a pair are not allowed together.
    pub(crate) excludes: &'static [(&'static str, &'static str)],
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a key takes. Anything but a literal is left to rustc.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A string.
    Text(Rule),
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A whole number within bounds.
    Count(CountRule),
    /// A whole number that is a TCP port.
    Port,
    /// TCP ports in brackets.
    Ports,
    /// Permissions in octal.
    Mode,
    /// Strings in brackets.
    List(Rule),
    /// `{ NAME: value }`.
    Map(MapOf, NamedRule),
    /// The keys of [`VOLUME`] in braces.
    Volume,
    /// A whole number, or the keys of [`REPLICAS`] in braces.
    Replicas,
    /// One of the words, with its keys in braces.
    Block(&'static Words),
    /// One of [`ADDRESSES`].
    Address,
    /// The path of an input.
    Input(Input),
    /// Any expression.
    Any,
}

/// A step: its key, what stands after the colon, and its options.
pub(crate) struct Step {
    pub(crate) key: &'static str,
    pub(crate) head: Head,
    pub(crate) options: Keys,
}

/// What stands after a step's colon.
#[derive(Clone, Copy)]
pub(crate) enum Head {
    /// Nothing, not even the colon.
    Nothing,
    /// One value.
    One(Kind),
    /// An input and where it goes: `source => destination`.
    Pair(Input),
    /// An expression that is the step itself.
    Own,
}

/// What an input must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A file or a directory.
    Any,
    /// A file.
    File,
    /// A file that is a template.
    Template,
    /// A directory.
    Directory,
}

impl Step {
    /// Whether braces may follow.
    pub(crate) fn takes_options(&self) -> bool {
        !self.options.known.is_empty()
    }
}

impl Kind {
    /// What is expected, for messages.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Text(_) | Self::Input(_) => "a string",
            Self::Flag => "`true` or `false`",
            Self::Number | Self::Count(_) => "a whole number",
            Self::Port => "a port number",
            Self::Ports => "a list of ports, as in `[80, 443]`",
            Self::Replicas => "a whole number, or bounds as in `{ min: 2, max: 6 }`",
            Self::Block(words) => words.expected,
            Self::Mode => "a mode in octal, as in `0o644`",
            Self::List(_) => "a list, as in `[\"a\", \"b\"]`",
            Self::Map(..) => "a map, as in `{ NAME: value }`",
            Self::Volume => "a volume, as in `{ size: 16 }`",
            Self::Address => "`private` or `public`",
            Self::Any => "an expression",
        }
    }
}

impl Keys {
    /// No keys at all.
    pub(crate) const fn none(of: &'static str) -> Self {
        Self { of, known: &[], one_of: &[], needs: &[], excludes: &[] }
    }

    const fn of(of: &'static str, known: &'static [Key]) -> Self {
        Self { of, known, one_of: &[], needs: &[], excludes: &[] }
    }

    /// The key of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'static Key> {
        self.known.iter().find(|key| key.name == name)
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.known.iter().map(|key| key.name).collect()
    }
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// A value of which nothing is known, whatever its name.
fn any_named(_: &str, _: &str) -> Result<(), Fault> {
    Ok(())
}

/// Text of which nothing is known.
fn any(_: &str) -> Result<(), Fault> {
    Ok(())
}
