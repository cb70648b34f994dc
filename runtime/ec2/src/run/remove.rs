use super::Object;
use crate::aws::{Aws, Refusal, VISIBLE_WITHIN};
use kiln_engine::Error;
use std::time::{Duration, Instant};

/// How long a removal waits for what still uses the object: a security group for its last interface.
pub(super) const FREE_WITHIN: Duration = Duration::from_secs(600);

/// What is known of an object's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Reads have shown it, or could have for long: when it is not there, it is gone.
    Settled,
    /// When it is not there, it may not be visible yet.
    Young,
}

/// How a removal ended that EC2 did not refuse for good.
#[derive(Debug)]
pub(crate) enum Removal {
    /// It is gone, or an instance: it is ending.
    Done,
    /// It was gone already.
    WasGone,
    /// It is not there, and may only not be visible yet.
    Unseen,
    /// Something uses it still.
    InUse(Refusal),
}

/// Removes an object. One that is gone already is no error. Terminating an instance only begins here.
///
/// # Errors
/// When EC2 refuses it for good.
pub(crate) async fn remove(aws: &Aws, object: Object, id: &str, age: Age) -> Result<(), Error> {
    match try_remove(aws, object, id, age, (VISIBLE_WITHIN, FREE_WITHIN)).await? {
        Removal::Done | Removal::WasGone | Removal::Unseen => Ok(()),
        Removal::InUse(refusal) => Err(refusal.error(&what(object, id))),
    }
}

/// Likewise, for one who goes on where it cannot be removed now: waits this long for it to become visible,
/// and this long for what uses it to end.
///
/// # Errors
/// When EC2 refuses it for good.
pub(crate) async fn try_remove(
    aws: &Aws,
    object: Object,
    id: &str,
    age: Age,
    (unseen, in_use): (Duration, Duration),
) -> Result<Removal, Error> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let Err(refusal) = ask(aws, object, id).await else { return Ok(Removal::Done) };
        let elapsed = begun.elapsed();
        if refusal.is_not_found() {
            match age {
                Age::Settled => return Ok(Removal::WasGone),
                Age::Young if elapsed > unseen => return Ok(Removal::Unseen),
                Age::Young => {}
            }
        } else if IN_USE.contains(&refusal.code()) {
            if elapsed > in_use {
                return Ok(Removal::InUse(refusal));
            }
        } else if !refusal.is_passing() || elapsed > FREE_WITHIN {
            return Err(refusal.error(&what(object, id)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn what(object: Object, id: &str) -> String {
    format!("cannot remove {} `{id}`", object.word())
}

/// EC2's codes for what something that is ending still uses.
const IN_USE: [&str; 4] = [
    "DependencyViolation",
    "InvalidGroup.InUse",
    "InvalidSnapshot.InUse",
    "IncorrectInstanceState",
];

async fn ask(aws: &Aws, object: Object, id: &str) -> Result<(), Refusal> {
    match object {
        Object::Instance => {
            aws.ec2.terminate_instances().instance_ids(id).send().await.map(drop)?
        }
        Object::Image => aws.ec2.deregister_image().image_id(id).send().await.map(drop)?,
        Object::Snapshot => aws.ec2.delete_snapshot().snapshot_id(id).send().await.map(drop)?,
        Object::SecurityGroup => {
            aws.ec2.delete_security_group().group_id(id).send().await.map(drop)?;
        }
    }
    Ok(())
}
