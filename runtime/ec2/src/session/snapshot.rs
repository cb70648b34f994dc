use crate::aws::tags::{Tags, specification};
use crate::aws::{Aws, Refusal, once_visible};
use crate::wait::Poller;
use aws_sdk_ec2::operation::create_snapshot::CreateSnapshotOutput;
use aws_sdk_ec2::types::ResourceType;
use kiln_engine::Error;
use std::time::Duration;

/// EC2's codes for more snapshots of a volume than it takes at a time: one in 15 s, five under way
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const NOT_NOW: [&str; 2] =
    ["SnapshotCreationPerVolumeRateExceeded", "ConcurrentSnapshotLimitExceeded"];

/// Between two tries to take one. The machine does nothing meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Takes a snapshot of what a volume holds at this moment. It is not awaited: the content is settled when the
/// call returns.
///
/// # Errors
/// When EC2 refuses it, or the user asks to stop while EC2 takes no more.
pub(crate) async fn snapshot(
    aws: &Aws,
    poller: &Poller,
    volume: &str,
    description: &str,
    tags: &Tags,
) -> Result<Result<CreateSnapshotOutput, Refusal>, Error> {
    let call = aws
        .ec2
        .create_snapshot()
        .volume_id(volume)
        .description(description)
        .tag_specifications(specification(ResourceType::Snapshot, tags));
    let mut pause = Duration::from_millis(500);
    loop {
        match once_visible(&[volume], async || Ok(call.clone().send().await?)).await {
            Err(refusal) if NOT_NOW.contains(&refusal.code()) => tokio::select! {
                biased;
                () = poller.interruption() => return Err(Error::interrupted()),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            },
            ended => return Ok(ended),
        }
    }
}
