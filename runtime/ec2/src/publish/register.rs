use super::publication::{Publication, named};
use crate::aws::once_visible;
use crate::aws::tags::{KEY, PARENT, Tags, specification};
use crate::base::MachineFacts;
use crate::launch::registration;
use crate::run::{Age, Object, double, remove};
use aws_sdk_ec2::types::{ImdsSupportValues, ResourceType};
use kiln_engine::Error;

/// What an AMI bears of the machine that it was made of.
pub(super) struct Registration {
    pub(super) facts: MachineFacts,
    /// Unique among AMIs of the account.
    pub(super) token: String,
    pub(super) tags: Tags,
}

/// Registers an AMI of a snapshot that is complete, and waits until machines can be launched from it.
///
/// # Errors
/// When EC2 refuses it; then there is none.
pub(super) async fn register(
    publication: &Publication<'_>,
    snapshot: &str,
    Registration { facts, token, tags: of_run }: Registration,
) -> Result<String, Error> {
    let Publication { inner, recipe, key, image, output } = publication;
    output("registering the AMI");
    // Not written down: it is an artifact as soon as it exists, and whoever looks for its key finds it.
    let mut tags: Tags = recipe.tags.clone();
    tags.extend(of_run);
    tags.extend(named(image));
    tags.insert(KEY.into(), key.to_string());
    if let Some(parent) = image.label.parent {
        tags.insert(PARENT.into(), parent.to_string());
    }
    let call = registration(&inner.aws, snapshot, &facts)
        .name(ami_name(&image.name, &token))
        .set_description(description(&image.doc))
        .imds_support(ImdsSupportValues::V20)
        .tag_specifications(specification(ResourceType::Image, &tags));
    let answer = once_visible(&[snapshot], async || Ok(call.clone().send().await?)).await;
    let registered = match answer {
        Ok(answer) => Ok(answer.image_id.unwrap_or_default()),
        Err(refusal) => double(&inner.aws, Object::Image, &token, refusal).await,
    };
    let what = format!("cannot register the AMI of `{}`", image.name);
    let id = registered.map_err(|refusal| refusal.error(&what))?;
    match inner.poller.available(&id).await {
        Ok(_) => Ok(id),
        Err(error) => {
            remove(&inner.aws, Object::Image, &id, Age::Young).await?;
            Err(error)
        }
    }
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
