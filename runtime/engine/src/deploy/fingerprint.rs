use super::goal::Goal;
use super::{ArtifactState, ImageState};
use crate::Digest;
use crate::driver::{Generation, Observed, Traits};
use blake3::Hasher;
use kiln::{Health, HealthCheck, Replicas, Strategy};

/// Of what is declared, in so far as a deploy depends on it: not where it is written, nor what is only for people.
pub(super) fn recipe(goal: &Goal<'_>) -> Digest {
    let mut hash = Fields::default();
    let ImageState { name, key, layers: _, artifact, why: _, record: _ } = &*goal.image;
    hash.text(name);
    hash.text(key.as_deref().unwrap_or_default());
    match artifact {
        ArtifactState::Baked(artifact) => {
            hash.number(0);
            hash.text(artifact);
        }
        // Why it is baked is told otherwise on another machine; what, by its key.
        ArtifactState::AfterBake { why: _ } => hash.number(1),
    }
    for traits in [&goal.declared.launch, &goal.declared.running, &goal.declared.front] {
        hash.traits(traits);
    }
    let Replicas { min, desired, max } = goal.node.replicas;
    hash.numbers([min, desired, max]);
    hash.numbers(match goal.node.strategy {
        Strategy::RedBlack { keep_previous } => [0, keep_previous],
        Strategy::Rolling { step } => [1, step],
    });
    if let Some(health) = &goal.node.health {
        let Health {
            origin: _,
            check,
            interval_ms,
            timeout_ms,
            healthy,
            unhealthy,
            within_ms,
            soak_ms,
        } = health;
        match check {
            HealthCheck::Http { port, path, status } => {
                hash.numbers([0, u32::from(*port), u32::from(*status)]);
                hash.text(path);
            }
            HealthCheck::Tcp { port } => hash.numbers([1, u32::from(*port)]),
        }
        hash.numbers([*healthy, *unhealthy]);
        for ms in [interval_ms, timeout_ms, within_ms, soak_ms] {
            hash.number(*ms);
        }
    }
    hash.end()
}

/// Of what runs, without what changes by itself.
pub(super) fn world(observed: Option<&Observed>) -> Digest {
    let mut hash = Fields::default();
    let Some(Observed { deployment: _, front, generations, outputs: _ }) = observed else {
        return hash.end();
    };
    hash.traits(front);
    for generation in generations {
        let Generation {
            number,
            id,
            image,
            launch,
            running,
            capacity,
            declared,
            attached,
            servers: _,
        } = generation;
        hash.number(u64::from(*number));
        hash.text(id);
        hash.text(image);
        hash.traits(launch);
        hash.traits(running);
        let moves = capacity.min < capacity.max;
        let desired = if moves { 0 } else { capacity.desired };
        hash.numbers([capacity.min, desired, capacity.max]);
        hash.number(declared.map_or(0, |declared| u64::from(declared) + 1));
        hash.number(u64::from(*attached));
    }
    hash.end()
}

/// Length-prefixed, so that no two lists of values have one encoding.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn numbers<const N: usize>(&mut self, numbers: [u32; N]) {
        for number in numbers {
            self.number(number.into());
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn traits(&mut self, traits: &Traits) {
        self.number(traits.len() as u64);
        for (name, value) in traits {
            self.text(name);
            self.text(value);
        }
    }

    fn end(self) -> Digest {
        Hasher::new().update(&self.0).finalize().into()
    }
}
