use crate::project::Project;
use kiln_engine::bake::Outcome;
use kiln_engine::deploy::{ArtifactState, ImageState, LayerKey};
use kiln_engine::graph::{ImageEntry, NodeKind};
use kiln_engine::plan::{ImageRecord, Plan, Planned, Why};
use kiln_engine::{CacheKey, NodeName};
use petgraph::graph::NodeIndex;
use std::sync::Arc;

/// An image as a bake's plan sees it.
pub(super) fn of(project: &Project<'_>, plan: &Plan, entry: &ImageEntry) -> ImageState {
    let chain = chain(project, entry.tip);
    let key = |index: &NodeIndex| match plan.nodes.get(index) {
        Some(Planned::Cached { key, .. }) => Some(*key),
        Some(Planned::Build { key, .. }) => *key,
        None => None,
    };
    let built = chain.iter().filter_map(|index| match plan.nodes.get(index) {
        Some(Planned::Build { why, .. }) => Some((project.name(*index), why)),
        _ => None,
    });
    let built: Vec<_> = built.collect();
    // What somebody has changed says more than what is not there any more, or was never built on this machine.
    let changed = built.iter().find(|(_, why)| matches!(why, Why::Changed(_)));
    let why = changed.or(built.first());
    let artifact = match (plan.nodes.get(&entry.tip), why) {
        (Some(Planned::Cached { artifact, .. }), _) => ArtifactState::Baked(artifact.id.clone()),
        (_, Some((name, why))) => {
            ArtifactState::AfterBake { why: format!("{}: {why}", part(name)) }
        }
        (_, None) => ArtifactState::AfterBake { why: "it is baked".into() },
    };
    ImageState {
        name: entry.image.name.clone(),
        key: key(&entry.tip).map(|key| key.to_string()),
        layers: layers(project, &chain, key),
        artifact,
        why: None,
        record: None,
    }
}

/// An image after a bake, for the reason that it was planned for; `None` when it was not made.
pub(super) fn after(
    project: &Project<'_>,
    outcome: &Outcome,
    entry: &ImageEntry,
    planned: &ImageState,
) -> Option<ImageState> {
    let artifact = outcome.artifact(entry.tip)?.id.clone();
    let key = |index: &NodeIndex| outcome.key(*index);
    let baked_for = match &planned.artifact {
        ArtifactState::AfterBake { why } => Some(why.clone()),
        ArtifactState::Baked(_) => None,
    };
    Some(ImageState {
        name: entry.image.name.clone(),
        key: key(&entry.tip).map(|key| key.to_string()),
        layers: layers(project, &chain(project, entry.tip), key),
        artifact: ArtifactState::Baked(artifact),
        why: planned.why.clone().or(baked_for),
        record: record(project, entry),
    })
}

/// What an image is made of, as far as it is locked.
pub(super) fn record(project: &Project<'_>, entry: &ImageEntry) -> Option<Arc<ImageRecord>> {
    ImageRecord::of(&project.keyed, entry.tip).map(Arc::new)
}

/// In what an image differs from another, as a predicate of the image.
pub(super) fn difference(was: &ImageRecord, is: &ImageRecord) -> Option<String> {
    let (node, what) = was.first_difference(is)?;
    Some(format!("{}: {what}", part(&node)))
}

/// The nodes that an image consists of, its base first.
fn chain(project: &Project<'_>, tip: NodeIndex) -> Vec<NodeIndex> {
    let graph = project.keyed.graph();
    let mut chain: Vec<NodeIndex> =
        std::iter::successors(Some(tip), |index| graph.parent(*index)).collect();
    chain.reverse();
    chain
}

fn layers(
    project: &Project<'_>,
    chain: &[NodeIndex],
    key: impl Fn(&NodeIndex) -> Option<CacheKey>,
) -> Vec<LayerKey> {
    let graph = project.keyed.graph();
    let layers =
        chain.iter().filter(|index| !matches!(graph.node(**index).kind, NodeKind::Image(_)));
    let named = |index: &NodeIndex| {
        Some(LayerKey { layer: project.name(*index).to_string(), key: key(index)?.to_string() })
    };
    layers.filter_map(named).collect()
}

/// A node in the words of its image.
fn part(name: &NodeName) -> String {
    match name.layer.as_str() {
        "base" => "its base".into(),
        NodeName::IMAGE => "its tests or volume".into(),
        layer => format!("layer `{layer}`"),
    }
}
