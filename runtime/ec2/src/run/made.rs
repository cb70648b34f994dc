use super::journal::{Intent, Made};
use super::{INTENT, Object, Traced};
use crate::aws::{Aws, Refusal, VISIBLE_WITHIN, filter};
use kiln_engine::Error;
use std::time::{Duration, Instant};

/// Writes down what came of a creation.
///
/// A creation whose answer was lost is asked for again by the client, and is then refused as a double: what is
/// there already is ours. What nobody can tell stays open in the journal, for the next run.
///
/// # Errors
/// `what`, and why EC2 refused it.
pub(crate) async fn settle(
    aws: &Aws,
    intent: Intent,
    answer: Result<String, Refusal>,
    what: &str,
) -> Result<Made, Error> {
    let refusal = match answer {
        Ok(id) => return intent.made(&id),
        Err(refusal) => refusal,
    };
    let is_final = !refusal.code().is_empty() && !refusal.is_passing();
    match double(aws, intent.object(), &intent.token(), refusal).await {
        Ok(id) => intent.made(&id),
        Err(refusal) if is_final && !is_double(&refusal) => {
            intent.refused()?;
            Err(refusal.error(what))
        }
        Err(refusal) => Err(refusal.error(what)),
    }
}

/// The object that bears a token, where its creation was refused because it is there already.
///
/// # Errors
/// That refusal, where it says something else.
pub(crate) async fn double(
    aws: &Aws,
    object: Object,
    token: &str,
    refusal: Refusal,
) -> Result<String, Refusal> {
    let begun = Instant::now();
    while is_double(&refusal) && begun.elapsed() < VISIBLE_WITHIN {
        if let Some(id) = by_token(aws, object, token).await?.pop() {
            return Ok(id);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(refusal)
}

fn is_double(refusal: &Refusal) -> bool {
    refusal.code().contains("Duplicate")
}

/// What bears the token of an intent. An instance that is ending is not told from one that runs.
pub(super) async fn by_token(
    aws: &Aws,
    object: Object,
    token: &str,
) -> Result<Vec<String>, Refusal> {
    let filters = filter(format!("tag:{INTENT}"), [token]);
    Ok(match object {
        Object::Instance => {
            let answer = aws.ec2.describe_instances().filters(filters).send().await?;
            let reservations = answer.reservations.unwrap_or_default().into_iter();
            let instances = reservations.flat_map(|one| one.instances.unwrap_or_default());
            instances.filter_map(|instance| instance.instance_id).collect()
        }
        Object::Image => {
            let answer = aws.ec2.describe_images().owners("self").filters(filters).send().await?;
            let images = answer.images.unwrap_or_default().into_iter();
            images.filter_map(|image| image.image_id).collect()
        }
        Object::Snapshot => {
            let call = aws.ec2.describe_snapshots().owner_ids("self").filters(filters);
            let snapshots = call.send().await?.snapshots.unwrap_or_default().into_iter();
            snapshots.filter_map(|snapshot| snapshot.snapshot_id).collect()
        }
        Object::SecurityGroup => {
            let answer = aws.ec2.describe_security_groups().filters(filters).send().await?;
            let groups = answer.security_groups.unwrap_or_default().into_iter();
            groups.filter_map(|group| group.group_id).collect()
        }
    })
}
