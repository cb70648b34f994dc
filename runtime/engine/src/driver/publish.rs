use super::{Artifact, Label};
use crate::Event;
use kiln::{ImageNode, Test};
use std::collections::BTreeMap;
use std::time::Duration;

/// An image that is to become an artifact of its own.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Its name in the recipes.
    pub name: String,
    /// What it is, for people.
    pub doc: String,
    /// For those who find it later.
    pub label: Label,
    /// What must pass before it counts.
    pub tests: TestPlan,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Published {
    /// The image; `None` when a test failed: then nothing was kept.
    pub artifact: Option<Artifact>,
    /// How its tests ended, in their order.
    pub tests: Vec<TestOutcome>,
}

/// The tests of an image, and what they need to run.
#[derive(Debug, Clone)]
pub struct TestPlan {
    /// What starts the image; empty: its init system, where it has one.
    pub start: Vec<String>,
    /// The image's environment.
    pub env: BTreeMap<String, String>,
    /// In order.
    pub tests: Vec<Test>,
}

impl TestPlan {
    /// The tests of an image.
    #[must_use]
    pub fn of(image: &ImageNode) -> Self {
        Self { start: image.start.clone(), env: image.env.clone(), tests: image.tests.clone() }
    }
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// How long it took until it passed or was given up.
    pub time: Duration,
    /// `None`: passed. Else why not, in one line.
    pub failure: Option<String>,
    /// What the last try printed or received, and the end of the started services' log.
    pub output: Vec<String>,
}

impl TestOutcome {
    /// What is reported of it.
    #[must_use]
    pub fn event(&self, image: &str, test: &Test) -> Event {
        Event::Test {
            image: image.into(),
            test: test.name.clone(),
            origin: test.origin.clone(),
            ms: u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX),
            failure: self.failure.clone(),
            output: self.output.clone(),
        }
    }
}
