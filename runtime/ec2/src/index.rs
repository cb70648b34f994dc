use crate::aws::tags::{self, KEY, MACHINE};
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
    /// Of the snapshots among them, by their ids.
    pub(crate) facts: BTreeMap<String, MachineFacts>,
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
            let Some(facts) = tags.get(MACHINE).and_then(|text| MachineFacts::parse(text)) else {
                continue;
            };
            found.facts.insert(id.to_owned(), facts);
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

/// How machines boot from a snapshot that was found by an earlier process.
///
/// # Errors
/// When it is gone, or was not made by this driver.
pub(crate) async fn start(aws: &Aws, id: &str) -> Result<Start, Error> {
    let what = format!("cannot launch from the snapshot `{id}`");
    let answer = aws.ec2.describe_snapshots().snapshot_ids(id).send().await;
    let answer = answer.map_err(|error| Refusal::from(error).error(&what))?;
    let tags = answer.snapshots().first().map(|snapshot| tags::read(snapshot.tags()));
    let facts = tags.and_then(|tags| MachineFacts::parse(tags.get(MACHINE)?));
    let facts = facts.ok_or_else(|| {
        Error::environment(format!("{what}: nothing on it says how a machine boots from it"))
            .help("delete it and bake again")
    })?;
    Ok(Start::Snapshot { id: id.to_owned(), facts })
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
