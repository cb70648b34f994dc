//! How long a Document of N layers takes to become a plan, everything cached, as one JSON line:
//! `plan_layers N`. Images have ten layers each, ten images stand on each other.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use async_trait::async_trait;
use kiln::prelude::*;
use kiln_engine::driver::{Artifact, ArtifactIndex};
use kiln_engine::graph::Graph;
use kiln_engine::inputs::Inputs;
use kiln_engine::key::Target;
use kiln_engine::lock::LockFile;
use kiln_engine::plan::{KeyedGraph, Plan};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Error};
use std::time::Instant;

/// Has everything.
struct Full;

#[async_trait]
impl ArtifactIndex for Full {
    fn format(&self) -> &'static str {
        "full 1"
    }

    fn gives_outputs(&self) -> bool {
        true
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        let found = |key: &CacheKey| Some(Artifact { id: key.to_string(), output: Some(key.0) });
        Ok(keys.iter().map(found).collect())
    }
}

fn document(layers: usize) -> String {
    let mut images: Vec<Image> = Vec::new();
    for number in 0..layers / 10 {
        let mut image = Image::new(format!("image-{number}"), "/nowhere");
        // An image holds its base as a value: chains of ten keep the recipes' own copies small.
        image = match number % 10 {
            0 => image.base(scratch()),
            _ => image.base(images[number - 1].clone()),
        };
        for layer in 0..10 {
            let text = format!("echo {number} {layer}");
            let step = step::file(format!("/etc/kiln/{layer}")).content(&text);
            image =
                image.layer(Layer::new(format!("layer-{layer}")).step(step).step(step::run(text)));
        }
        images.push(image);
    }
    let document = images.into_iter().fold(Document::new("shop"), Document::image);
    serde_json::to_string(&document).unwrap()
}

#[tokio::main]
async fn main() {
    let layers = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let text = document(layers);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let started = Instant::now();
    let document: Document = serde_json::from_str(&text).unwrap();
    let graph = Graph::new(document, false).unwrap();
    let wanted: Vec<_> = graph.indices().collect();
    let lock = LockFile::read(&folder.path().join("kiln.lock")).unwrap();
    let inputs = Inputs::new(store.inputs());
    let target = Target { builder: "full".into(), place: None, architecture: "amd64".into() };
    let keyed = KeyedGraph::new(graph, &wanted, target, &inputs, &lock, no_layouts).unwrap();
    let plan = Plan::make(&keyed, &wanted, &Full, &store, folder.path()).await.unwrap();
    let ms = started.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(plan.to_build(), 0);
    println!("{{\"nodes\":{},\"document_bytes\":{},\"ms\":{ms:.1}}}", plan.nodes.len(), text.len());
}

/// No recipe here starts from a layout.
fn no_layouts(_: &std::path::Path, _: Option<&str>) -> Result<String, Error> {
    Err(Error::input("no layout"))
}
