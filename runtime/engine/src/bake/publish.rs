use super::chain::Chain;
use super::log::Log;
use crate::driver::{Artifact, Label, Publish, Session};
use crate::graph::ImageTests;
use crate::{CacheKey, Error};

impl Chain<'_> {
    /// Makes an image of the session of its last layer, and says how its tests ended.
    ///
    /// # Errors
    /// When it cannot be made, or a test fails.
    pub(super) async fn publish(
        self,
        image: &ImageTests,
        session: Box<dyn Session>,
        key: CacheKey,
        label: Label,
        log: &Log<'_>,
    ) -> Result<Artifact, Error> {
        let ImageTests { name, doc, tests } = image;
        let publish = Publish { name: name.clone(), doc: doc.clone(), label, tests: tests.clone() };
        let published = session.publish(key, &publish, &|line| log.line(line)).await?;
        let mut failed = Vec::new();
        for (test, outcome) in tests.tests.iter().zip(&published.tests) {
            (self.bake.events)(outcome.event(name, test));
            if outcome.failure.is_some() {
                failed.push(test);
            }
        }
        match (published.artifact, failed[..].first()) {
            (Some(artifact), None) => Ok(artifact),
            (_, Some(first)) => {
                let names: Vec<String> =
                    failed.iter().map(|test| format!("`{}`", test.name)).collect();
                let message = format!("image `{name}` failed its tests: {}", names.join(", "));
                Err(Error::input(message)
                    .at(&first.origin)
                    .help("its layers are kept; correct the image or the test and bake again"))
            }
            (None, None) => Err(Error::environment(format!("image `{name}` was not made"))),
        }
    }
}
