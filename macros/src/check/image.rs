use super::destination::Destinations;
use super::head::{self, Split};
use super::keys::Seen;
use super::{Inputs, base, builder, call, keys, step};
use crate::ast::{Block, Body, Entry, Pair};
use crate::diag::{self, Sink};
use crate::valid::Part;
use crate::{ast, schema, valid};
use kiln_rules as rules;
use proc_macro2::Ident;
use syn::ext::IdentExt as _;

/// Checks a whole image. There is always a result, so that what refers to it still compiles.
pub(crate) fn image(raw: ast::Recipe, inputs: &Inputs, sink: &mut Sink) -> valid::Image {
    let Split { head, params, body, rest } = head::split(raw, &schema::AN_IMAGE, sink);
    let mut image = Image {
        name: &head.name,
        inputs,
        sink,
        seen: Seen::default(),
        layers: Vec::new(),
        tests: Vec::new(),
        dests: Destinations::default(),
        parts: Vec::new(),
        parent: None,
        said: valid::Said::default(),
        params,
    };
    if let Some(body) = body {
        image.entries(body);
    }
    head::end(&rest, !image.parts.is_empty(), &schema::AN_IMAGE, image.sink);
    let Image { parts, parent, said, .. } = image;
    valid::Image { parent, said, parts, head }
}

struct Image<'a> {
    name: &'a Ident,
    inputs: &'a Inputs,
    sink: &'a mut Sink,
    seen: Seen,
    layers: Vec<Ident>,
    tests: Vec<Ident>,
    dests: Destinations,
    parts: Vec<Part>,
    parent: Option<valid::Parent>,
    said: valid::Said,
    params: Vec<Ident>,
}

impl Image<'_> {
    fn entries(&mut self, body: Body) {
        for entry in body.entries {
            let part = match entry {
                Entry::Pair(pair) => self.pair(pair),
                Entry::Block(block) => self.block(block),
                Entry::Quoted(_) => {
                    self.seen.unknown = true;
                    keys::stray(entry, "an image", "a key", self.sink);
                    None
                }
                Entry::Stray(tokens) => {
                    self.seen.unknown = true;
                    let fault = diag::unexpected_tokens(&tokens, "a key, a `layer` or a `test`");
                    self.sink.error(tokens, fault);
                    None
                }
            };
            self.parts.extend(part);
        }
        if !self.seen.has("base") && !self.seen.unknown {
            self.sink.error(self.name, diag::missing_base(&self.name.unraw().to_string()));
        }
    }

    fn pair(&mut self, pair: Pair) -> Option<Part> {
        if pair.key == "base" && !self.seen.has("base") {
            self.parent = pair.value.as_ref().and_then(|value| call::parent(value, &self.params));
            let call = self.sink.nest(|sink| {
                if let Some(value) = &pair.value {
                    base::check(value, self.inputs, sink);
                }
                keys::pair(pair, &schema::IMAGE, &mut self.seen, self.inputs, sink)
            });
            return call.map(Part::Call);
        }
        if schema::STEPS.iter().any(|step| pair.key == step.key) {
            self.seen.unknown = true;
            let key = pair.key.to_string();
            self.sink.error(&pair.key, diag::misplaced(&key, "an image", schema::LAYER_ONLY));
            return None;
        }
        if pair.key == "builder" {
            keys::known(&pair, &schema::IMAGE, &mut self.seen, self.sink)?;
            let (part, said) = builder::check(pair, &self.params, self.inputs, self.sink)?;
            self.said = said;
            return Some(part);
        }
        keys::pair(pair, &schema::IMAGE, &mut self.seen, self.inputs, self.sink).map(Part::Call)
    }

    fn block(&mut self, block: Block) -> Option<Part> {
        let Block { keyword, name, body } = block;
        if keyword != "layer" && keyword != "test" {
            self.seen.unknown = true;
            let word = keyword.to_string();
            let fault = match schema::IMAGE.get(&word) {
                Some(key) => diag::missing_colon(&word, key.kind.expected()),
                None => diag::unknown_block(&word),
            };
            self.sink.error(&keyword, fault);
            return None;
        }
        let word = keyword.to_string();
        let Some(name) = name else {
            self.sink.error(&keyword, diag::missing_name(&word));
            return None;
        };
        self.name(&word, &name);
        let Some(body) = body else {
            self.sink.error(&name, diag::missing_braces(&format!("`{word} {name}`")));
            return None;
        };
        Some(if word == "layer" {
            self.layer(keyword, name, body)
        } else {
            self.test(keyword, name, body)
        })
    }

    fn name(&mut self, kind: &str, name: &Ident) {
        self.sink.check(name, rules::node(&name.unraw().to_string()));
        let names = if kind == "layer" { &mut self.layers } else { &mut self.tests };
        if names.contains(name) {
            let fault = diag::duplicate_name(kind, &name.to_string(), &self.name.to_string());
            self.sink.error(name, fault);
        }
        names.push(name.clone());
    }

    fn layer(&mut self, keyword: Ident, name: Ident, body: Body) -> Part {
        if body.entries.is_empty() {
            self.sink.error(&name, diag::empty_layer(&name.to_string()));
        }
        if name == "base" || name == "image" {
            self.sink.check(&name, rules::layer(&name.to_string()));
        }
        let mut steps = Vec::new();
        for entry in body.entries {
            match entry {
                Entry::Pair(pair) => {
                    self.dests.layer = name.to_string();
                    steps.extend(step::check(pair, &mut self.dests, self.inputs, self.sink));
                }
                other => keys::stray(other, "a layer", "a step", self.sink),
            }
        }
        Part::Layer { keyword, name, steps }
    }

    fn test(&mut self, keyword: Ident, name: Ident, body: Body) -> Part {
        let mut seen = Seen::default();
        let mut calls = keys::all(body, &name, &schema::TEST, &mut seen, self.inputs, self.sink);
        // `status` refines the `http` before it, wherever the recipe has them.
        calls.sort_by_key(|call| !schema::TEST.one_of.iter().any(|probe| call.key == *probe));
        Part::Test { keyword, name, calls }
    }
}
