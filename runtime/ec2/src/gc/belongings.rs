use crate::aws::tags::{self, EXPIRES, IMAGE, KEY, LAYER, NAME, OWNER, PROJECT, RUN, Tags};
use crate::aws::{Aws, Refusal, filter};
use aws_sdk_ec2::types::{Filter, InstanceStateName, Snapshot, SnapshotState};

/// Everything on EC2 that bears the tags of a project.
#[derive(Debug, Default)]
pub(super) struct Belongings {
    pub(super) instances: Vec<Thing>,
    pub(super) images: Vec<ImageThing>,
    pub(super) snapshots: Vec<SnapshotThing>,
    pub(super) groups: Vec<Thing>,
}

/// Something, by its tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) id: String,
    /// What it is of, for people: `web/site`.
    pub(super) name: String,
    pub(super) key: Option<String>,
    pub(super) run: String,
    pub(super) owner: String,
    /// Seconds since 1970; `None`: never.
    pub(super) expires: Option<u64>,
}

/// An AMI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImageThing {
    pub(super) thing: Thing,
    pub(super) snapshots: Vec<String>,
    pub(super) made: String,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SnapshotThing {
    pub(super) thing: Thing,
    /// Seconds since 1970.
    pub(super) made: i64,
    /// EC2 could not complete it.
    pub(super) failed: bool,
}

impl Belongings {
    pub(super) async fn list(aws: &Aws, project: &str) -> Result<Self, Refusal> {
        let ours = || filter(format!("tag:{PROJECT}"), [project]);
        let (instances, images, snapshots, groups) = tokio::try_join!(
            instances(aws, ours()),
            images(aws, ours()),
            snapshots(aws, ours()),
            groups(aws, ours()),
        )?;
        Ok(Self { instances, images, snapshots, groups })
    }
}

fn thing(id: Option<&str>, tags: &Tags) -> Option<Thing> {
    let text = |name: &str| tags.get(name).cloned().unwrap_or_default();
    // What bears the project's tag alone was tagged by somebody else.
    let run = tags.get(RUN)?.clone();
    let name = match (tags.get(IMAGE), tags.get(LAYER)) {
        (Some(image), Some(layer)) if tags.contains_key(KEY) => format!("{image}/{layer}"),
        (Some(image), _) => image.clone(),
        _ => text(NAME),
    };
    Some(Thing {
        id: id?.to_owned(),
        name,
        key: tags.get(KEY).cloned(),
        run,
        owner: text(OWNER),
        expires: text(EXPIRES).parse().ok(),
    })
}

async fn instances(aws: &Aws, ours: Filter) -> Result<Vec<Thing>, Refusal> {
    let mut pages = aws.ec2.describe_instances().filters(ours).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(reservation) = pages.next().await {
        for instance in reservation?.instances.unwrap_or_default() {
            let state = instance.state().and_then(|state| state.name());
            if state != Some(&InstanceStateName::Terminated) {
                all.extend(thing(instance.instance_id(), &tags::read(instance.tags())));
            }
        }
    }
    Ok(all)
}

async fn images(aws: &Aws, ours: Filter) -> Result<Vec<ImageThing>, Refusal> {
    let images = aws.ec2.describe_images().owners("self").filters(ours).max_results(1000);
    let mut pages = images.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(image) = pages.next().await {
        let image = image?;
        let mappings = image.block_device_mappings().iter();
        let snapshots = mappings.filter_map(|mapping| mapping.ebs()?.snapshot_id());
        all.extend(thing(image.image_id(), &tags::read(image.tags())).map(|thing| ImageThing {
            thing,
            snapshots: snapshots.map(ToOwned::to_owned).collect(),
            made: image.creation_date().unwrap_or_default().to_owned(),
        }));
    }
    Ok(all)
}

async fn snapshots(aws: &Aws, ours: Filter) -> Result<Vec<SnapshotThing>, Refusal> {
    let snapshots = aws.ec2.describe_snapshots().owner_ids("self").filters(ours).max_results(1000);
    let mut pages = snapshots.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(snapshot) = pages.next().await {
        let snapshot: Snapshot = snapshot?;
        all.extend(thing(snapshot.snapshot_id(), &tags::read(snapshot.tags())).map(|thing| {
            SnapshotThing {
                thing,
                made: snapshot.start_time().map_or(0, |time| time.secs()),
                failed: snapshot.state() == Some(&SnapshotState::Error),
            }
        }));
    }
    Ok(all)
}

async fn groups(aws: &Aws, ours: Filter) -> Result<Vec<Thing>, Refusal> {
    let mut pages =
        aws.ec2.describe_security_groups().filters(ours).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(group) = pages.next().await {
        let group = group?;
        all.extend(thing(group.group_id(), &tags::read(group.tags())));
    }
    Ok(all)
}
