use crate::aws::tags::{self, CLEAN, KEY, MACHINE};
use crate::aws::{Aws, MOST, Refusal, filter};
use crate::base::MachineFacts;
use crate::launch::Start;
use aws_sdk_ec2::types::{Image, ImageState, Snapshot, SnapshotState};
use kiln_engine::driver::Artifact;
use kiln_engine::{CacheKey, Error};
use std::collections::BTreeMap;

/// How many objects one answer holds at most
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html>).
const PAGE: i32 = 1000;

/// What was made under some keys, in this account and region.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) artifacts: BTreeMap<String, Artifact>,
    /// The snapshots among them, by their ids.
    pub(crate) layers: BTreeMap<String, Layer>,
}

/// What is known of a layer's snapshot beside its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// How machines boot from it.
    pub(crate) facts: MachineFacts,
    /// Whether nothing of the machine that baked it is in it: an image can be made of it as it is.
    pub(crate) is_clean: bool,
    /// Whether EC2 has written all of it: machines can be made of it.
    pub(crate) is_complete: bool,
    /// Of its volume, in GiB.
    pub(crate) size: i32,
}

impl Layer {
    /// `None` where nothing on it says how a machine boots from it.
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let tags = tags::read(snapshot.tags());
        Some(Self {
            facts: MachineFacts::parse(tags.get(MACHINE)?)?,
            is_clean: tags.contains_key(CLEAN),
            is_complete: snapshot.state() == Some(&SnapshotState::Completed),
            size: snapshot.volume_size().unwrap_or_default(),
        })
    }
}

/// Looks for snapshots of layers, and for AMIs, by their keys: one call of each kind for 200 keys.
///
/// A snapshot that is not completed yet counts: whoever launches from it waits. Of doubles, which two
/// machines make that bake the same, the newest counts, by time and then by id, so that all see the same one.
pub(crate) async fn find(aws: &Aws, keys: &[CacheKey]) -> Result<Found, Error> {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let mut found = Found::default();
    for keys in keys.chunks(MOST) {
        let (snapshots, images) = tokio::join!(snapshots(aws, keys), images(aws, keys));
        let failed = |refusal: Refusal| refusal.error("cannot look for what is baked already");
        for snapshot in newest(snapshots.map_err(failed)?, |snapshot| {
            let time = snapshot.start_time().map_or(0, |time| time.secs());
            (time, snapshot.snapshot_id().unwrap_or_default().to_owned())
        }) {
            let tags = tags::read(snapshot.tags());
            let (Some(key), Some(id)) = (tags.get(KEY), snapshot.snapshot_id()) else { continue };
            // Without it no machine can be made of the snapshot.
            let Some(layer) = Layer::of(&snapshot) else { continue };
            found.layers.insert(id.to_owned(), layer);
            found.artifacts.insert(key.clone(), artifact(id));
        }
        for image in newest(images.map_err(failed)?, |image| {
            let time = image.creation_date().unwrap_or_default().to_owned();
            (time, image.image_id().unwrap_or_default().to_owned())
        }) {
            let tags = tags::read(image.tags());
            if let (Some(key), Some(id)) = (tags.get(KEY), image.image_id()) {
                found.artifacts.insert(key.clone(), artifact(id));
            }
        }
    }
    Ok(found)
}

/// Where a machine begins that stands on a snapshot which an earlier process has found.
///
/// # Errors
/// When it is gone, or was not made by this driver.
pub(crate) async fn start(aws: &Aws, id: &str) -> Result<Start, Error> {
    let what = format!("cannot launch from the snapshot `{id}`");
    let answer = aws.ec2.describe_snapshots().snapshot_ids(id).send().await;
    let answer = answer.map_err(|error| Refusal::from(error).error(&what))?;
    let layer = answer.snapshots().first().and_then(Layer::of).ok_or_else(|| {
        Error::environment(format!("{what}: nothing on it says how a machine boots from it"))
            .help("delete it and bake again")
    })?;
    Ok(Start::Snapshot { id: id.to_owned(), layer })
}

/// EC2 sees no further than the volume: what is in it has no digest.
pub(crate) fn artifact(id: &str) -> Artifact {
    Artifact { id: id.to_owned(), output: None }
}

/// Sorted so that the newest of each key comes last, and stays.
fn newest<T, O: Ord>(mut objects: Vec<T>, age: impl Fn(&T) -> O) -> Vec<T> {
    objects.sort_by_cached_key(age);
    objects
}

async fn snapshots(aws: &Aws, keys: &[String]) -> Result<Vec<Snapshot>, Refusal> {
    let mut pages = aws
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(filter(format!("tag:{KEY}"), keys))
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(page?.snapshots.unwrap_or_default());
    }
    all.retain(|snapshot| {
        matches!(snapshot.state(), Some(SnapshotState::Completed | SnapshotState::Pending))
    });
    Ok(all)
}

async fn images(aws: &Aws, keys: &[String]) -> Result<Vec<Image>, Refusal> {
    let mut pages = aws
        .ec2
        .describe_images()
        .owners("self")
        .filters(filter(format!("tag:{KEY}"), keys))
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(page?.images.unwrap_or_default());
    }
    all.retain(|image| image.state() == Some(&ImageState::Available));
    Ok(all)
}
