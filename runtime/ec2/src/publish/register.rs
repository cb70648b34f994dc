use super::scrub::scrub;
use crate::aws::tags::{self, KEY, NAME, PARENT, Tags, specification};
use crate::aws::{Aws, once_visible};
use crate::builder::Inner;
use crate::launch::registration;
use crate::probe;
use crate::run::{Age, Made, Object, Traced, double, remove, settle};
use crate::session::{Live, snapshot};
use crate::ssh::in_our_words;
use aws_sdk_ec2::types::{ImdsSupportValues, ResourceType};
use kiln::Ec2;
use kiln_engine::driver::{Output, Publish, Published, TestOutcome};
use kiln_engine::{CacheKey, Error};
use kiln_ssh::Machine;

/// Makes the image of a machine, and ends the machine.
///
/// # Errors
/// When it cannot be made. A test that fails is an outcome, and nothing is kept.
pub(crate) async fn publish(
    inner: &Inner,
    recipe: &Ec2,
    mut live: Live,
    key: CacheKey,
    image: &Publish,
    output: Output<'_>,
) -> Result<Published, Error> {
    let taken = photograph(inner, recipe, &mut live, image, output).await;
    let Live { launched, machine } = live;
    let snapshot = match taken {
        Ok(snapshot) => snapshot,
        Err(error) => {
            launched.end(&inner.aws, &inner.poller).await?;
            return Err(error);
        }
    };
    // The snapshot is written by EC2 while the machine boots from the same content.
    let (tests, completed) =
        tokio::join!(tests(inner, machine, image, output), inner.poller.completed(snapshot.id()));
    let completed = completed.and_then(|_| snapshot.seen());
    let facts = launched.facts.clone();
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
                discard(&inner.aws, snapshot).await?;
                return failed.map(|tests| Published { artifact: None, tests });
            }
        };
        let id = register(inner, recipe, &facts, snapshot, key, image, output).await?;
        Ok(Published { artifact: Some(crate::index::artifact(&id)), tests })
    };
    let (published, ended) = tokio::join!(register, launched.end(&inner.aws, &inner.poller));
    if let Err(error) = ended {
        output(&format!("the machine is not ended yet: {}", error.chain()));
    }
    published
}

/// Cleans the machine and takes the snapshot that the image will be made of.
async fn photograph(
    inner: &Inner,
    recipe: &Ec2,
    live: &mut Live,
    image: &Publish,
    output: Output<'_>,
) -> Result<Made, Error> {
    output("removing what must not be in an image");
    scrub(&mut live.machine, live.launched.login.public_openssh(), output).await?;
    let intent = inner.run.intend(Object::Snapshot)?;
    let mut tags = recipe.tags.clone();
    tags.extend(inner.run.tags(&intent, None));
    tags.extend(named(image));
    let volume = live.launched.root_volume()?;
    let what = format!("cannot take a snapshot for `{}`", image.name);
    let answer = snapshot(&inner.aws, &inner.poller, volume, &image.doc, &tags).await?;
    settle(&inner.aws, intent, answer, &what).await
}

/// Restarts the machine, which has forgotten that it was one, and asks it what the recipe wants to know.
async fn tests(
    inner: &Inner,
    mut machine: Machine,
    image: &Publish,
    output: Output<'_>,
) -> Result<Vec<TestOutcome>, Error> {
    if image.tests.tests.is_empty() {
        return Ok(Vec::new());
    }
    output("booting for the first time");
    machine.reboot(&inner.patience(), output).await.map_err(in_our_words)?;
    probe::test(&mut machine, &image.tests).await
}

async fn register(
    inner: &Inner,
    recipe: &Ec2,
    facts: &crate::base::MachineFacts,
    snapshot: Made,
    key: CacheKey,
    image: &Publish,
    output: Output<'_>,
) -> Result<String, Error> {
    output("registering the AMI");
    // Not written down: it is an artifact as soon as it exists, and whoever looks for its key finds it.
    let mut tags: Tags = recipe.tags.clone();
    tags.extend(inner.run.tags(&snapshot, None));
    tags.extend(named(image));
    tags.insert(KEY.into(), key.to_string());
    if let Some(parent) = image.label.parent {
        tags.insert(PARENT.into(), parent.to_string());
    }
    let call = registration(&inner.aws, snapshot.id(), facts)
        .name(ami_name(&image.name, &snapshot.token()))
        .set_description(description(&image.doc))
        .imds_support(ImdsSupportValues::V20)
        .tag_specifications(specification(ResourceType::Image, &tags));
    let answer = once_visible(&[snapshot.id()], async || Ok(call.clone().send().await?)).await;
    let registered = match answer {
        Ok(answer) => Ok(answer.image_id.unwrap_or_default()),
        Err(refusal) => double(&inner.aws, Object::Image, &snapshot.token(), refusal).await,
    };
    let what = format!("cannot register the AMI of `{}`", image.name);
    let failed = match registered {
        Ok(id) => match inner.poller.available(&id).await {
            Ok(_) => {
                snapshot.done()?;
                return Ok(id);
            }
            Err(error) => {
                remove(&inner.aws, Object::Image, &id, Age::Young).await?;
                error
            }
        },
        Err(refusal) => refusal.error(&what),
    };
    discard(&inner.aws, snapshot).await?;
    Err(failed)
}

async fn discard(aws: &Aws, snapshot: Made) -> Result<(), Error> {
    remove(aws, Object::Snapshot, snapshot.id(), Age::Young).await?;
    snapshot.done()
}

/// What an image and its snapshot are called.
fn named(image: &Publish) -> Tags {
    [(tags::IMAGE, &image.name), (tags::LAYER, &image.label.node.layer), (NAME, &image.name)]
        .map(|(name, text)| (name.to_owned(), tags::value(text)))
        .into()
}

/// Unique in the account, of the letters that EC2 takes, at most 128
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html>).
fn ami_name(image: &str, token: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    let image: String = image.chars().map(|c| if allowed(c) { c } else { '-' }).take(90).collect();
    format!("{image} {token}")
}

/// One line, at most 255 letters; none at all where there is nothing to say.
fn description(doc: &str) -> Option<String> {
    let line = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(char::is_ascii).take(255).collect();
    (!line.is_empty()).then_some(line)
}
