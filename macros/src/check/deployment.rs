use super::across::Across;
use super::head::{self, Split};
use super::keys::{self, Seen};
use super::word::{self, Checked};
use super::{Inputs, call};
use crate::ast::{Block, Body, Entry, Pair, Value};
use crate::diag::{self, Sink};
use crate::schema::Kind;
use crate::valid::{Fact, Parent, Part};
use crate::{ast, schema, valid};
use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprArray, LitInt};

/// Checks a whole deployment. There is always a result, so that what refers to it still compiles.
pub(crate) fn deployment(raw: ast::Recipe, inputs: &Inputs, sink: &mut Sink) -> valid::Deployment {
    let Split { head, params, body, rest } = head::split(raw, &schema::A_DEPLOYMENT, sink);
    let mut deployment = Deployment {
        name: &head.name,
        inputs,
        sink,
        seen: Seen::default(),
        parts: Vec::new(),
        image: None,
        blocks: Vec::new(),
        params,
    };
    if let Some(body) = body {
        deployment.entries(body);
    }
    let understood = !deployment.parts.is_empty() || !deployment.blocks.is_empty();
    head::end(&rest, understood, &schema::A_DEPLOYMENT, deployment.sink);
    let Deployment { mut parts, image, blocks, seen, sink, .. } = deployment;
    let across = Across {
        target: fact("target", &blocks, &seen),
        ports: ports(&parts, &seen),
        health: fact("health", &blocks, &seen),
        load_balancer: fact("load_balancer", &blocks, &seen),
    };
    across.check(sink);
    let (region, instance_type) = (across.region(), across.instance_type());
    for (at, checked) in blocks.into_iter().rev() {
        parts.insert(at, checked.part);
    }
    valid::Deployment { head, image, region, instance_type, parts }
}

struct Deployment<'a> {
    name: &'a Ident,
    inputs: &'a Inputs,
    sink: &'a mut Sink,
    seen: Seen,
    parts: Vec<Part>,
    /// The recipe that is called for the image.
    image: Option<Parent>,
    /// Keys whose values have keys, each with its place among `parts`.
    blocks: Vec<(usize, Checked)>,
    params: Vec<Ident>,
}

impl Deployment<'_> {
    fn entries(&mut self, body: Body) {
        let mut finished = true;
        for entry in body.entries {
            let before = self.sink.count();
            let whole = match &entry {
                Entry::Pair(pair) => pair.last().is_none_or(Value::is_whole),
                _ => true,
            };
            match entry {
                Entry::Pair(pair) => self.pair(pair),
                Entry::Block(block) => self.block(&block),
                other => {
                    self.seen.unknown = true;
                    keys::stray(other, schema::DEPLOYMENT.of, "a key", self.sink);
                }
            }
            finished = whole && self.sink.count() == before;
        }
        let missing = ["image", "target"].into_iter().filter(|key| !self.seen.has(key));
        let missing: Vec<&str> = missing.collect();
        // While the last key is being typed, nobody has said yet that there are no more.
        if finished && !missing.is_empty() && !self.seen.unknown {
            let name = self.name.unraw().to_string();
            self.sink.error(self.name, diag::incomplete_deployment(&name, &missing));
        }
    }

    /// There are none: a key lacks its colon, or it is one of an image.
    fn block(&mut self, block: &Block) {
        self.seen.unknown = true;
        let word = block.keyword.to_string();
        let fault = match schema::DEPLOYMENT.get(&word) {
            Some(key) => diag::missing_colon(&word, key.kind.expected()),
            None => diag::misplaced(&word, schema::DEPLOYMENT.of, "write it in the `image!`"),
        };
        self.sink.error(&block.keyword, fault);
    }

    fn pair(&mut self, pair: Pair) {
        let known = schema::DEPLOYMENT.get(&pair.key.to_string()).map(|key| key.kind);
        if let Some(Kind::Block(words)) = known {
            let known = keys::known(&pair, &schema::DEPLOYMENT, &mut self.seen, self.sink);
            let checked =
                known.and_then(|_| word::check(pair, words, &self.params, self.inputs, self.sink));
            self.blocks.extend(checked.map(|checked| (self.parts.len(), checked)));
            return;
        }
        let image = (pair.key == "image" && !self.seen.has("image"))
            .then(|| call::parent(pair.value.as_ref()?, &self.params));
        let call = keys::pair(pair, &schema::DEPLOYMENT, &mut self.seen, self.inputs, self.sink);
        if call.is_some() {
            self.image = image.flatten().or(self.image.take());
        }
        self.parts.extend(call.map(Part::Call));
    }
}

/// What is known of a block.
fn fact<'a>(key: &str, blocks: &'a [(usize, Checked)], seen: &Seen) -> Fact<&'a Checked> {
    let mut checked = blocks.iter().map(|(_, checked)| checked);
    let found =
        checked.find(|checked| matches!(&checked.part, Part::Block { key: of, .. } if of == key));
    match found {
        Some(checked) => Fact::Literal(checked),
        None if seen.has(key) || seen.unknown => Fact::Computed,
        None => Fact::Unsaid,
    }
}

/// The declared ports, where all of them are literals.
fn ports(parts: &[Part], seen: &Seen) -> Option<Vec<u64>> {
    let declared = parts.iter().find_map(|part| match part {
        Part::Call(call) if call.key == "ports" => Some(call),
        _ => None,
    });
    match declared {
        Some(call) => {
            let array: ExprArray = word::literal(call)?;
            let number = |port: &Expr| word::bare::<LitInt>(port)?.base10_parse().ok();
            array.elems.iter().map(number).collect()
        }
        None if seen.has("ports") || seen.unknown => None,
        None => Some(Vec::new()),
    }
}
