use super::register::{Registration, register};
use super::source::Source;
use crate::aws::tags::{self, NAME, Tags};
use crate::builder::Inner;
use crate::probe;
use crate::run::Traced;
use crate::session::{Cleaned, Live};
use crate::ssh::in_our_words;
use kiln::Ec2;
use kiln_engine::driver::{Output, Publish, Published, TestOutcome};
use kiln_engine::{CacheKey, Error};
use kiln_ssh::Machine;

/// An image that is to be made of a machine.
pub(crate) struct Publication<'a> {
    pub(crate) inner: &'a Inner,
    /// How it is built.
    pub(crate) recipe: &'a Ec2,
    pub(crate) key: CacheKey,
    pub(crate) image: &'a Publish,
    pub(crate) output: Output<'a>,
}

impl Publication<'_> {
    /// Makes it, and ends the machine.
    ///
    /// # Errors
    /// When it cannot be made. A test that fails is an outcome, and no image is kept.
    pub(crate) async fn publish(
        &self,
        mut live: Live,
        cleaned: Cleaned,
    ) -> Result<Published, Error> {
        let Self { inner, output, .. } = self;
        let source = Source::of(cleaned, self, &mut live).await;
        let Live { launched, machine } = live;
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                launched.end(&inner.aws, &inner.poller).await?;
                return Err(error);
            }
        };
        let is_fresh = matches!(source, Source::Layer { has_booted: true, .. });
        // The snapshot is written by EC2 while the machine boots from the same content.
        let (tests, completed) =
            tokio::join!(self.tests(machine, is_fresh), inner.poller.completed(source.id()));
        let completed = completed.and_then(|_| source.seen());
        // One machine becomes one image: its token is the image's too.
        let registration = Registration {
            facts: launched.facts.clone(),
            token: launched.made.token(),
            tags: inner.run.tags(&launched.made, None),
        };
        let passed = match (tests, completed) {
            (Ok(tests), Ok(_)) if tests.iter().all(|test| test.failure.is_none()) => Ok(tests),
            (Ok(tests), Ok(_)) => Err(Ok(tests)),
            (Err(error), _) | (_, Err(error)) => Err(Err(error)),
        };
        // The machine goes while the AMI is registered.
        let register = async {
            let tests = match passed {
                Ok(tests) => tests,
                Err(failed) => {
                    source.discard(&inner.aws).await?;
                    return failed.map(|tests| Published { artifact: None, tests });
                }
            };
            match register(self, source.id(), registration).await {
                Ok(id) => {
                    source.done()?;
                    Ok(Published { artifact: Some(crate::index::artifact(&id)), tests })
                }
                Err(error) => {
                    source.discard(&inner.aws).await?;
                    Err(error)
                }
            }
        };
        let (published, ended) = tokio::join!(register, launched.end(&inner.aws, &inner.poller));
        if let Err(error) = ended {
            output(&format!("the machine is not ended yet: {}", error.chain()));
        }
        published
    }

    /// Restarts the machine, which has forgotten that it was one, unless it has just booted so; asks it what the
    /// recipe wants to know.
    async fn tests(&self, mut machine: Machine, is_fresh: bool) -> Result<Vec<TestOutcome>, Error> {
        let Self { inner, image, output, .. } = self;
        if image.tests.tests.is_empty() {
            return Ok(Vec::new());
        }
        if !is_fresh {
            output("booting for the first time");
            machine.reboot(&inner.patience(), output).await.map_err(in_our_words)?;
        }
        probe::test(&mut machine, &image.tests).await
    }
}

/// What an image, and a snapshot that was taken for it, are called.
pub(super) fn named(image: &Publish) -> Tags {
    [(tags::IMAGE, &image.name), (tags::LAYER, &image.label.node.layer), (NAME, &image.name)]
        .map(|(name, text)| (name.to_owned(), tags::value(text)))
        .into()
}
