use crate::{Op, Origin, Problems, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named, ordered list of steps: the unit of caching, resuming and explaining.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) steps: Vec<Unlowered>,
    pub(crate) problems: Problems,
}

/// A step whose ops still wait for the environment that earlier steps set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unlowered {
    pub(crate) node: StepNode,
    pub(crate) env: BTreeMap<String, String>,
}

/// What a step became in the Document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepNode {
    /// The key in the recipe: `copy`.
    pub kind: String,
    /// One line for people: `copy site/ => /srv/www`.
    pub title: String,
    /// Where it was written.
    pub origin: Origin,
    /// What a builder does for it, in order.
    pub ops: Vec<Op>,
}

impl Layer {
    /// An empty layer. Its name is unique in its image.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            origin: Origin::caller(),
            steps: Vec::new(),
            problems: Problems::default(),
        }
    }

    /// Appends a step: one of [`crate::step`], or your own [`Step`].
    #[must_use]
    pub fn step(mut self, step: impl Step) -> Self {
        let mut lowering = crate::Lowering::new(step.origin().clone());
        let kind = step.kind().to_owned();
        let title = step.title();
        let origin = step.origin().clone();
        step.lower(&mut lowering);
        let (ops, env, problems) = lowering.finish();
        for problem in problems.into_vec() {
            self.problems.push(&problem.origin, problem.message, problem.help);
        }
        self.steps.push(Unlowered { node: StepNode { kind, title, origin, ops }, env });
        self
    }
}
