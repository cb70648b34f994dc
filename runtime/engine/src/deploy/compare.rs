use super::goal::{AFTER_BAKE, Goal};
use super::{ArtifactState, Difference, Reason};
use crate::driver::{
    Capacity, Declared, Deployer, Generation, HistoryEntry, Intent, ServerHealth, Traits,
};
use kiln::{Replicas, Strategy};

/// In what a generation that runs differs from what is declared.
pub(super) struct Comparison {
    /// What only another generation can change.
    pub(super) rolls: Vec<Reason>,
    /// What changes while it runs.
    pub(super) adjusts: Vec<Reason>,
    /// Who is missing or ill: their keeper replaces them.
    pub(super) ill: Vec<Reason>,
}

/// Compares a generation, and what stands before it, with what is declared. What the last entry of the history says of
/// it tells drift from a changed recipe.
pub(super) fn compare(
    deployer: &dyn Deployer,
    goal: &Goal<'_>,
    generation: &Generation,
    front: &Traits,
    entry: Option<&HistoryEntry>,
) -> Comparison {
    let mut rolls = Vec::new();
    let differs = |image: &str| goal.image.artifact() != Some(image);
    if differs(&generation.image) {
        let why = image_change(goal, generation, entry);
        rolls.push(Reason::Image { image: goal.image.name.clone(), why });
    }
    let declared = &goal.declared;
    let artifact = goal.image.artifact().unwrap_or(AFTER_BAKE);
    let launch = differences(&generation.launch, &declared.launch, entry.map(|e| &e.launch));
    let names_image = |found: &Difference| {
        // The image has said so already, in better words.
        let was = found.runs.as_deref().unwrap_or(&generation.image);
        found.declared.as_deref() == Some(artifact) && (was == generation.image || !goal.is_baked())
    };
    rolls.extend(launch.into_iter().filter(|d| !names_image(d)).map(Reason::Launch));

    let mut adjusts = Vec::new();
    if !generation.attached {
        adjusts.push(Reason::Detached { generation: generation.number });
    }
    let replicas = goal.node.replicas;
    let capacity = wanted(replicas, generation.declared, Some(generation.capacity));
    let moved = generation.capacity != capacity;
    // Also where what moves it has moved it there already: it is written down, and counts no second time.
    let edited = is_edited(replicas, generation.declared);
    let others = generation.running != declared.running || *front != declared.front;
    if moved || edited || others {
        // What was declared then is only worked out where something differs.
        let prior: Option<Declared> =
            entry.map(|entry| deployer.declared(&entry.deployment, &entry.image));
        if moved {
            let drift = entry.is_some_and(|entry| entry.deployment.replicas == replicas);
            let runs = generation.capacity;
            adjusts.push(Reason::Capacity { runs, declared: capacity, drift });
        }
        if edited {
            let (runs, declared) = (generation.declared, Some(replicas.desired));
            let drift = entry.is_some_and(|entry| entry.deployment.replicas == replicas);
            let [runs, declared] = [runs, declared].map(|servers| servers.map(|n| n.to_string()));
            let name = "desired".to_owned();
            adjusts.push(Reason::Running(Difference { name, runs, declared, drift }));
        }
        let prior = prior.as_ref();
        let found = differences(front, &declared.front, prior.map(|prior| &prior.front));
        adjusts.extend(found.into_iter().map(Reason::Front));
        let was = prior.map(|prior| &prior.running);
        let found = differences(&generation.running, &declared.running, was);
        adjusts.extend(found.into_iter().map(Reason::Running));
    }
    Comparison { rolls, adjusts, ill: ill(generation) }
}

/// Whether a generation is just what is declared, whatever its capacity, traffic and tags.
pub(super) fn is_declared(goal: &Goal<'_>, generation: &Generation) -> bool {
    goal.image.artifact() == Some(&generation.image) && generation.launch == goal.declared.launch
}

/// Whether a generation that was about to be made, and cannot be seen, is just what is declared.
pub(super) fn is_intended(goal: &Goal<'_>, intent: &Intent, history: &[HistoryEntry]) -> bool {
    goal.image.artifact() == Some(&intent.image)
        && goal.declared.launch == intent.ending.launch
        && history.iter().all(|entry| entry.generation != intent.generation)
}

/// How many servers a generation is to have. Where something may move the number, it stays where that has put it, until
/// another one is declared than `then`.
pub(super) fn wanted(replicas: Replicas, then: Option<u32>, now: Option<Capacity>) -> Capacity {
    let Replicas { min, desired, max } = replicas;
    let desired = match now {
        Some(now) if min < max && !is_edited(replicas, then) => now.desired.clamp(min, max),
        _ => desired,
    };
    Capacity { min, desired, max }
}

/// Whether another number is declared than `then`, within bounds in which something may move it.
pub(super) fn is_edited(replicas: Replicas, then: Option<u32>) -> bool {
    let Replicas { min, desired, max } = replicas;
    min < max && then.is_some_and(|then| then != desired)
}

/// How many servers had the traffic before a run began that has not ended: it may have shrunk them.
pub(super) fn before(now: Capacity, intent: Option<&Intent>) -> Capacity {
    let had = intent.map_or(0, |intent| intent.capacity.desired);
    Capacity { desired: now.desired.max(had), max: now.max.max(had), ..now }
}

/// How many generations a strategy keeps that have no traffic.
pub(super) fn kept(strategy: Strategy) -> usize {
    match strategy {
        Strategy::RedBlack { keep_previous } => {
            usize::try_from(keep_previous).unwrap_or(usize::MAX)
        }
        Strategy::Rolling { .. } => 0,
    }
}

/// Where two differ, by name. What differs from what runs and was the same when it was deployed is drift.
fn differences(runs: &Traits, declared: &Traits, then: Option<&Traits>) -> Vec<Difference> {
    if runs == declared {
        return Vec::new();
    }
    let names = declared.keys().chain(runs.keys().filter(|name| !declared.contains_key(*name)));
    let found = names.filter_map(|name| {
        let (is, to_be) = (runs.get(name), declared.get(name));
        (is != to_be).then(|| Difference {
            name: name.clone(),
            runs: is.cloned(),
            declared: to_be.cloned(),
            drift: then.is_some_and(|then| then.get(name) == to_be),
        })
    });
    found.collect()
}

/// What about the image is another than in the generation that runs.
fn image_change(goal: &Goal<'_>, runs: &Generation, entry: Option<&HistoryEntry>) -> String {
    if let Some(why) = &goal.image.why {
        return why.clone();
    }
    let artifact = match &goal.image.artifact {
        ArtifactState::AfterBake { why } => return why.clone(),
        ArtifactState::Baked(artifact) => artifact,
    };
    let Some(entry) = entry else { return format!("`{}` became `{artifact}`", runs.image) };
    if goal.image.key.as_deref() == Some(&entry.image_key) {
        return "it was baked again".into();
    }
    let layers = goal.image.layers.iter();
    let (known, new): (Vec<_>, Vec<_>) =
        layers.partition(|layer| entry.layers.contains_key(&layer.layer));
    if known.is_empty() && !new.is_empty() {
        return "another image".into();
    }
    let own = format!("{}/", goal.image.name);
    let short = |layer: &str| layer.strip_prefix(&own).unwrap_or(layer).to_owned();
    // Keys change from a layer on: the first one is the one that was edited.
    let changed = goal
        .image
        .layers
        .iter()
        .find(|layer| entry.layers.get(&layer.layer).is_none_or(|key| *key != layer.key));
    match changed {
        Some(layer) if entry.layers.contains_key(&layer.layer) => {
            format!("layer `{}` changed", short(&layer.layer))
        }
        Some(layer) => format!("layer `{}` is new", short(&layer.layer)),
        None => match entry.layers.len() > goal.image.layers.len() {
            true => "layers are gone".into(),
            false => format!("`{}` became `{artifact}`", runs.image),
        },
    }
}

/// Which servers of a generation are missing or ill.
pub(super) fn ill(generation: &Generation) -> Vec<Reason> {
    let is_there =
        |health: &ServerHealth| !matches!(health, ServerHealth::Leaving | ServerHealth::Starting);
    let there = generation.servers.iter().filter(|server| is_there(&server.health));
    let servers = u32::try_from(there.count()).unwrap_or(u32::MAX);
    let of = generation.capacity.desired;
    let mut shown = Vec::new();
    if servers < of {
        shown.push(Reason::Missing { servers, of });
    }
    shown.extend(generation.servers.iter().filter_map(|server| match &server.health {
        ServerHealth::Unhealthy(why) => {
            Some(Reason::Unhealthy { server: server.id.clone(), why: why.clone() })
        }
        _ => None,
    }));
    shown
}
