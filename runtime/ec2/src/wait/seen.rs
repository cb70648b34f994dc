use super::groups::{self, Group, Targets};
use crate::aws::{Aws, MOST, Refusal, filter};
use aws_sdk_ec2::types::{Image, Instance, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Instance,
    Snapshot,
    Image,
    /// An Auto Scaling group, by its name, with its servers.
    Group,
    /// The targets of a target group, by its ARN.
    Targets,
}

impl Kind {
    /// In words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Snapshot => "snapshot",
            Self::Image => "AMI",
            Self::Group => "Auto Scaling group",
            Self::Targets => "target group",
        }
    }
}

/// What a read has shown of an object.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// Nothing. It may not be visible yet, or be gone.
    Absent,
    Instance(Arc<Instance>),
    Snapshot(Arc<Snapshot>),
    Image(Arc<Image>),
    Group(Arc<Group>),
    Targets(Arc<Targets>),
}

/// Reads objects of a kind, as few calls as there are pages. Those that are not shown are missing from the
/// answer: a filter does not fail on an id that is not visible yet, as a list of ids does.
pub(super) async fn read(
    aws: &Aws,
    kind: Kind,
    ids: &[String],
) -> Result<BTreeMap<String, Seen>, Refusal> {
    let mut seen = BTreeMap::new();
    match kind {
        Kind::Group => return groups::groups(aws, ids).await,
        Kind::Targets => return groups::targets(aws, ids).await,
        Kind::Instance | Kind::Snapshot | Kind::Image => {}
    }
    for ids in ids.chunks(MOST) {
        match kind {
            Kind::Group | Kind::Targets => {}
            Kind::Instance => {
                let ids = filter("instance-id", ids);
                let answer = aws.ec2.describe_instances().filters(ids).send().await?;
                for instance in answer
                    .reservations
                    .unwrap_or_default()
                    .into_iter()
                    .flat_map(|r| r.instances.unwrap_or_default())
                {
                    let id = instance.instance_id().unwrap_or_default().to_owned();
                    seen.insert(id, Seen::Instance(Arc::new(instance)));
                }
            }
            Kind::Snapshot => {
                let ids = filter("snapshot-id", ids);
                let snapshots = aws.ec2.describe_snapshots().owner_ids("self").filters(ids);
                for snapshot in snapshots.send().await?.snapshots.unwrap_or_default() {
                    let id = snapshot.snapshot_id().unwrap_or_default().to_owned();
                    seen.insert(id, Seen::Snapshot(Arc::new(snapshot)));
                }
            }
            Kind::Image => {
                let ids = filter("image-id", ids);
                let images = aws.ec2.describe_images().owners("self").filters(ids);
                for image in images.send().await?.images.unwrap_or_default() {
                    let id = image.image_id().unwrap_or_default().to_owned();
                    seen.insert(id, Seen::Image(Arc::new(image)));
                }
            }
        }
    }
    Ok(seen)
}
