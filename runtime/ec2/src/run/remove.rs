use super::Object;
use crate::aws::{Aws, Refusal, VISIBLE_WITHIN};
use kiln_engine::Error;
use std::time::{Duration, Instant};

/// How long a removal waits for what still uses the object: a security group for its last interface.
const FREE_WITHIN: Duration = Duration::from_secs(600);

/// What is known of an object's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Reads have shown it, or could have for long: when it is not there, it is gone.
    Settled,
    /// When it is not there, it may not be visible yet.
    Young,
}

/// Removes an object. One that is gone already is no error. Terminating an instance only begins here.
///
/// # Errors
/// When EC2 refuses it for good.
pub(crate) async fn remove(aws: &Aws, object: Object, id: &str, age: Age) -> Result<(), Error> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let Err(refusal) = ask(aws, object, id).await else { return Ok(()) };
        let patience = if refusal.is_not_found() {
            match age {
                Age::Settled => return Ok(()),
                Age::Young => VISIBLE_WITHIN,
            }
        } else if refusal.is_passing() || IN_USE.contains(&refusal.code()) {
            FREE_WITHIN
        } else {
            return Err(refusal.error(&format!("cannot remove {} `{id}`", object.word())));
        };
        if begun.elapsed() > patience {
            if refusal.is_not_found() {
                return Ok(());
            }
            return Err(refusal.error(&format!("cannot remove {} `{id}`", object.word())));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
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
