use super::Body;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Expr;
use syn::parse::{ParseStream, Parser as _};

/// A value as it was written. It is passed on as these tokens, whatever they are.
pub(crate) struct Value {
    pub(crate) tokens: TokenStream,
    pub(crate) form: Form,
}

/// How far a [`Value`] is an expression.
pub(crate) enum Form {
    /// It is one.
    Whole(Box<Expr>),
    /// `{ NAME: value }`: options, or a map.
    Braces(Group),
    /// An expression and a dot after which nothing stands yet.
    Dot {
        /// What stands before the dot.
        receiver: Box<Expr>,
        /// The dot.
        dot: Span,
    },
    /// An expression and then something that does not belong to it.
    Trailing(TokenStream),
    /// Anything else. rustc says what is wrong with it.
    Broken,
}

impl Value {
    /// `None` when there is nothing.
    pub(super) fn read(trees: Vec<TokenTree>) -> Option<Self> {
        (!trees.is_empty())
            .then(|| Self { form: form(&trees), tokens: trees.into_iter().collect() })
    }

    /// Whether nothing is missing at its end.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.form, Form::Whole(_) | Form::Braces(_))
    }

    /// The expression, or the part of it that is there.
    pub(crate) fn expr(&self) -> Option<&Expr> {
        match &self.form {
            Form::Whole(expr) | Form::Dot { receiver: expr, .. } => Some(expr),
            Form::Braces(_) | Form::Trailing(_) | Form::Broken => None,
        }
    }

    /// The value as a lone group in braces: `{ x }` is a map as well as a block.
    pub(crate) fn braces(&self) -> Option<Group> {
        let mut trees = self.tokens.clone().into_iter();
        match (trees.next(), trees.next()) {
            (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Brace => {
                Some(group)
            }
            _ => None,
        }
    }
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

/// Splits off the braces after a value, unless they are part of the expression, as in `match x { … }`.
pub(super) fn with_options(mut trees: Vec<TokenTree>) -> (Option<Value>, Option<Body>) {
    let braces = match trees.last() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            Some(Body::read(group))
        }
        _ => None,
    };
    let only = trees.len() == 1;
    let Some(options) = braces.filter(|_| !only && expr(&trees).is_none()) else {
        return (Value::read(trees), None);
    };
    trees.pop();
    (Value::read(trees), Some(options))
}

fn form(trees: &[TokenTree]) -> Form {
    if let Some(expr) = expr(trees) {
        return Form::Whole(Box::new(expr));
    }
    match trees {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
            Form::Braces(group.clone())
        }
        [before @ .., TokenTree::Punct(dot)] if dot.as_char() == '.' => match expr(before) {
            Some(receiver) => Form::Dot { receiver: Box::new(receiver), dot: dot.span() },
            None => Form::Broken,
        },
        _ => rest(trees).map_or(Form::Broken, Form::Trailing),
    }
}

/// The expression that these trees are, all of them. Braces after it are not part of it.
fn expr(trees: &[TokenTree]) -> Option<Expr> {
    split(trees).filter(|(_, rest)| rest.is_empty()).map(|(expr, _)| expr)
}

/// What follows an expression that is whole. Braces may still belong to it, for those who read them so.
fn rest(trees: &[TokenTree]) -> Option<TokenStream> {
    let (_, rest) = split(trees)?;
    let braces = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    rest.clone().into_iter().next().filter(|first| !braces(first)).map(|_| rest)
}

fn split(trees: &[TokenTree]) -> Option<(Expr, TokenStream)> {
    let read = |input: ParseStream<'_>| {
        Ok((Expr::parse_without_eager_brace(input)?, input.parse::<TokenStream>()?))
    };
    read.parse2(trees.iter().cloned().collect()).ok()
}
