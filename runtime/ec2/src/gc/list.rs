use super::belongings::{Belongings, Condition, ImageThing, SnapshotThing, Thing};
use crate::aws::tags::{
    self, EXPIRES, IMAGE, KEY, LAYER, MACHINE, NAME, OWNER, PROJECT, RUN, Tags,
};
use crate::aws::{Aws, Refusal, filter};
use crate::base::MachineFacts;
use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{Filter, Image, ImageState, InstanceStateName, Snapshot, SnapshotState};

/// How many objects one answer holds at most: AMIs and snapshots; the others give as many by themselves.
const PAGE: i32 = 1000;

impl Belongings {
    /// Asks EC2: one call of each kind and page.
    ///
    /// # Errors
    /// When one of them is refused.
    pub(super) async fn list(aws: &Aws, project: &str) -> Result<Self, Refusal> {
        let ours = || filter(format!("tag:{PROJECT}"), [project]);
        let (instances, images, snapshots, volumes, groups) = tokio::try_join!(
            instances(aws, project),
            images(aws),
            snapshots(aws, ours()),
            volumes(aws, ours()),
            groups(aws, ours()),
        )?;
        let mut all = Self { instances, snapshots, volumes, groups, ..Self::default() };
        for image in &images {
            all.sort_in(image, project);
        }
        all.images.sort_by(|a, b| (&a.thing.name, &a.made).cmp(&(&b.thing.name, &b.made)));
        all.snapshots.sort_by(|a, b| (&a.thing.name, &a.made).cmp(&(&b.thing.name, &b.made)));
        Ok(all)
    }

    /// One of ours, or one that may use something of ours.
    fn sort_in(&mut self, image: &Image, project: &str) {
        let Some(id) = image.image_id() else { return };
        let tags = tags::read(image.tags());
        let is_ours = tags.get(PROJECT).is_some_and(|name| name == project);
        match thing(Some(id), &tags).filter(|_| is_ours) {
            Some(thing) => self.images.push(ImageThing {
                thing,
                condition: condition(image),
                snapshots: stands_on(image).map(ToOwned::to_owned).collect(),
                created: image.creation_date().unwrap_or_default().to_owned(),
                made: image.creation_date().map_or(0, seconds),
            }),
            None => {
                let snapshots = stands_on(image).map(|snapshot| (snapshot.into(), id.into()));
                self.stood_on.extend(snapshots);
                self.copied.extend(image.source_image_id().map(|of| (of.into(), id.into())));
            }
        }
    }
}

/// `None` for what bears the project's tag alone: somebody else has given it that.
fn thing(id: Option<&str>, tags: &Tags) -> Option<Thing> {
    let text = |name: &str| tags.get(name).cloned().unwrap_or_default();
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

/// Those that are not terminated.
pub(super) async fn instances(aws: &Aws, project: &str) -> Result<Vec<Thing>, Refusal> {
    let ours = filter(format!("tag:{PROJECT}"), [project]);
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

/// All of the account: those of others show which of our snapshots they stand on.
async fn images(aws: &Aws) -> Result<Vec<Image>, Refusal> {
    let images = aws.ec2.describe_images().owners("self").include_disabled(true);
    let mut pages = images.max_results(PAGE).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(image) = pages.next().await {
        all.push(image?);
    }
    Ok(all)
}

fn stands_on(image: &Image) -> impl Iterator<Item = &str> {
    image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.snapshot_id())
}

fn condition(image: &Image) -> Condition {
    match image.state() {
        Some(ImageState::Available) => Condition::Usable,
        Some(ImageState::Pending | ImageState::Transient) | None => Condition::Unfinished,
        Some(ImageState::Disabled) => Condition::Disabled,
        Some(_) => Condition::Useless("EC2 could not make it"),
    }
}

fn seconds(text: &str) -> u64 {
    let time = DateTime::from_str(text, DateTimeFormat::DateTime);
    time.ok().and_then(|time| u64::try_from(time.secs()).ok()).unwrap_or(0)
}

async fn snapshots(aws: &Aws, ours: Filter) -> Result<Vec<SnapshotThing>, Refusal> {
    let snapshots = aws.ec2.describe_snapshots().owner_ids("self").filters(ours);
    let mut pages = snapshots.max_results(PAGE).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(snapshot) = pages.next().await {
        let snapshot = snapshot?;
        let tags = tags::read(snapshot.tags());
        all.extend(thing(snapshot.snapshot_id(), &tags).map(|thing| SnapshotThing {
            thing,
            condition: usable(&snapshot, &tags),
            made: snapshot.start_time().and_then(|at| u64::try_from(at.secs()).ok()).unwrap_or(0),
        }));
    }
    Ok(all)
}

/// As `index::find` sees it, which takes a snapshot that is still being written.
fn usable(snapshot: &Snapshot, tags: &Tags) -> Condition {
    let is_layer = tags.contains_key(KEY);
    match snapshot.state() {
        Some(SnapshotState::Error) => Condition::Useless("EC2 could not complete it"),
        Some(SnapshotState::Completed | SnapshotState::Pending)
            if is_layer
                && tags.get(MACHINE).and_then(|text| MachineFacts::parse(text)).is_none() =>
        {
            Condition::Useless("nothing on it says how a machine boots from it")
        }
        Some(SnapshotState::Completed | SnapshotState::Pending) => Condition::Usable,
        _ => Condition::Unfinished,
    }
}

async fn volumes(aws: &Aws, ours: Filter) -> Result<Vec<Thing>, Refusal> {
    let volumes = aws.ec2.describe_volumes().filters(ours);
    let volumes = volumes.filters(filter("status", ["available", "error"]));
    let mut pages = volumes.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(volume) = pages.next().await {
        let volume = volume?;
        all.extend(thing(volume.volume_id(), &tags::read(volume.tags())));
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
