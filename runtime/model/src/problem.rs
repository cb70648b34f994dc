use crate::Origin;
use kiln_rules::Fault;
use serde::{Deserialize, Serialize};

/// A mistake in a recipe that only its values show, found when the recipe ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What was found and what is expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Collects every mistake of a recipe, so that they are reported together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a mistake.
    pub fn push(&mut self, origin: &Origin, message: impl Into<String>, help: Option<String>) {
        self.0.push(Problem { origin: origin.clone(), message: message.into(), help });
    }

    /// Notes what a rule found, and yields the value when it found nothing.
    pub fn check<T>(&mut self, origin: &Origin, outcome: Result<T, Fault>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(fault) => {
                self.push(origin, fault.message, fault.help);
                None
            }
        }
    }

    /// All mistakes, in the order they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}
