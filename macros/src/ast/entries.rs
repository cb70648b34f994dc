//! Splits a body into entries. Where an entry is malformed, reading goes on at the next comma, key or block.

use super::{Block, Body, Entry, Pair, Target, Value, value};
use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::LitStr;

pub(super) fn entries(stream: TokenStream) -> Vec<Entry> {
    let mut reader = Reader { trees: stream.into_iter().collect(), at: 0 };
    let mut entries = Vec::new();
    while reader.at < reader.trees.len() {
        entries.push(reader.entry());
    }
    entries
}

struct Reader {
    trees: Vec<TokenTree>,
    at: usize,
}

impl Reader {
    fn entry(&mut self) -> Entry {
        if let Some(name) = self.quoted(self.at) {
            return Entry::Quoted(self.pair(name));
        }
        let Some(word) = self.ident(self.at).cloned() else { return self.stray() };
        let block =
            matches!(word.to_string().as_str(), "layer" | "test") && !self.colon(self.at + 1);
        if block || self.opens_block(self.at) {
            return Entry::Block(self.block(word));
        }
        Entry::Pair(self.pair(word))
    }

    fn block(&mut self, keyword: Ident) -> Block {
        self.at += 1;
        // What starts the next entry is not the name of an unfinished block.
        let next = self.colon(self.at + 1) || self.opens_block(self.at);
        let name = self.ident(self.at).filter(|_| !next).cloned();
        self.at += usize::from(name.is_some());
        let body = self.braces(self.at).map(Body::read);
        self.at += usize::from(body.is_some());
        self.comma();
        Block { keyword, name, body }
    }

    fn pair<K>(&mut self, key: K) -> Pair<K> {
        self.at += 1;
        let colon = self.colon(self.at);
        self.at += usize::from(colon);
        let mut trees = self.region();
        let separated = self.comma() || self.at == self.trees.len();
        let arrow =
            trees.windows(2).position(|pair| is_punct(&pair[0], '=') && is_punct(&pair[1], '>'));
        let (value, target, options) = match arrow {
            None => {
                let (value, options) = value::with_options(trees);
                (value, None, options)
            }
            Some(at) => {
                let right = trees.split_off(at + 2);
                let arrow = trees.split_off(at).into_iter().collect();
                let (right, options) = value::with_options(right);
                (Value::read(trees), Some(Target { arrow, value: right }), options)
            }
        };
        Pair { key, colon, value, target, options, separated }
    }

    fn stray(&mut self) -> Entry {
        let from = self.at;
        self.region();
        if self.at == from {
            self.at += 1;
        }
        let tokens = self.trees[from..self.at].iter().cloned().collect();
        self.comma();
        Entry::Stray(tokens)
    }

    /// The trees up to the comma, key or block that ends a value.
    fn region(&mut self) -> Vec<TokenTree> {
        // `a::<B, C>()` has a comma of its own; a half-typed `a::<` never closes.
        let end = self.end(true).or_else(|| self.end(false)).unwrap_or(self.trees.len());
        let trees = self.trees[self.at..end].to_vec();
        self.at = end;
        trees
    }

    fn end(&self, angles: bool) -> Option<usize> {
        let mut depth = 0_usize;
        for at in self.at..self.trees.len() {
            let before =
                at.checked_sub(1).filter(|before| *before >= self.at).map(|at| &self.trees[at]);
            if self.opens_known_block(at) || self.opens_pair(at, before) || self.follows(at, before)
            {
                return (depth == 0).then_some(at);
            }
            match &self.trees[at] {
                TokenTree::Punct(punct) if angles => match punct.as_char() {
                    '<' if depth > 0 || before.is_none_or(|tree| is_punct(tree, ':')) => depth += 1,
                    '>' if !before
                        .is_some_and(|tree| is_punct(tree, '-') || is_punct(tree, '=')) =>
                    {
                        depth = depth.saturating_sub(1);
                    }
                    ',' if depth == 0 => return Some(at),
                    _ => {}
                },
                tree if is_punct(tree, ',') => return Some(at),
                _ => {}
            }
        }
        (depth == 0).then_some(self.trees.len())
    }

    fn opens_pair(&self, at: usize, before: Option<&TokenTree>) -> bool {
        // `|a: A| …` is the one expression with a word and a single colon outside of any brackets.
        let parameter = before.is_some_and(|tree| is_punct(tree, '|'));
        // `run: std:` is half of a path, not a key.
        let path = before.is_none_or(|tree| is_punct(tree, ':')) && self.ends(at + 2);
        self.ident(at).is_some() && self.colon(at + 1) && !parameter && !path
    }

    /// Whether a word follows a value with nothing between: the comma is missing, and the word's colon.
    fn follows(&self, at: usize, before: Option<&TokenTree>) -> bool {
        let joins = |word: &Ident| ["as", "else", "in"].iter().any(|keyword| word == keyword);
        let literal = matches!(self.trees.get(at + 1), Some(TokenTree::Literal(_)));
        matches!(before, Some(TokenTree::Literal(_) | TokenTree::Group(_)))
            && self.ident(at).is_some_and(|word| !joins(word))
            && (literal || self.ends(at + 1))
    }

    fn ends(&self, at: usize) -> bool {
        self.trees.get(at).is_none_or(|tree| is_punct(tree, ','))
    }

    fn opens_known_block(&self, at: usize) -> bool {
        let known = self.ident(at).is_some_and(|word| word == "layer" || word == "test");
        known && self.ident(at + 1).is_some()
    }

    fn opens_block(&self, at: usize) -> bool {
        self.ident(at).is_some() && self.ident(at + 1).is_some() && self.braces(at + 2).is_some()
    }

    fn ident(&self, at: usize) -> Option<&Ident> {
        match self.trees.get(at) {
            Some(TokenTree::Ident(ident)) => Some(ident),
            _ => None,
        }
    }

    /// The string before a colon.
    fn quoted(&self, at: usize) -> Option<LitStr> {
        let tree = self.trees.get(at).filter(|_| self.colon(at + 1))?;
        syn::parse2(tree.to_token_stream()).ok()
    }

    fn braces(&self, at: usize) -> Option<&Group> {
        match self.trees.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => Some(group),
            _ => None,
        }
    }

    /// Whether a single colon stands there, not the first half of `::`.
    fn colon(&self, at: usize) -> bool {
        let double = |punct: &proc_macro2::Punct| {
            punct.spacing() == Spacing::Joint
                && self.trees.get(at + 1).is_some_and(|next| is_punct(next, ':'))
        };
        matches!(self.trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':' && !double(p))
    }

    fn comma(&mut self) -> bool {
        let comma = self.trees.get(self.at).is_some_and(|tree| is_punct(tree, ','));
        self.at += usize::from(comma);
        comma
    }
}

fn is_punct(tree: &TokenTree, char: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == char)
}
