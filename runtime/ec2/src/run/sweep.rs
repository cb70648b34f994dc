use super::made::by_token;
use super::past::{Left, Past, lock_of_the_dead};
use super::remove::{Age, FREE_WITHIN, Removal, try_remove};
use super::{Object, Where, now};
use crate::aws::{Aws, Refusal, filter};
use crate::wait::Poller;
use kiln_engine::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long after an intent an object that no read shows may still appear, in seconds.
const APPEARS_WITHIN: u64 = 900;

/// How long to wait for what EC2 has made and does not show: a bake waits behind it. The next run waits again.
const UNSEEN: Duration = Duration::from_secs(10);

/// A journal of another place is of no use when everything in it has powered itself off long ago, in seconds.
const KEPT: u64 = 30 * 24 * 3600;

/// What runs that are no more have left, each with its lock held by this process.
#[derive(Debug)]
pub(crate) struct Remains {
    runs: Vec<(PathBuf, Past, std::fs::File)>,
}

impl Remains {
    /// Looks for journals of dead runs of this place. No call is made.
    pub(crate) fn find(runs: &Path, place: &Where) -> Self {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(runs).into_iter().flatten().flatten() {
            let dir = entry.path();
            let Some(lock) = lock_of_the_dead(&dir) else { continue };
            let past = Past::read(&dir);
            let is_old = |past: &Past| past.open.iter().all(|left| left.at + KEPT < now());
            match past {
                Ok(past) if past.place == *place && !past.open.is_empty() => {
                    found.push((dir, past, lock));
                }
                Ok(past) if !past.open.is_empty() && !is_old(&past) => {}
                _ => {
                    let _nothing_was_made_in_it = std::fs::remove_dir_all(&dir);
                }
            }
        }
        Self { runs: found }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Removes what is left. What cannot be removed, and what may still appear, stays in its journal for the
    /// next run.
    ///
    /// # Errors
    /// For each that could not be removed.
    pub(crate) async fn sweep(self, aws: &Aws, poller: &Poller) -> Result<(), Vec<Error>> {
        let mut errors = Vec::new();
        for (dir, past, lock) in self.runs {
            match sweep_run(aws, poller, &past).await {
                Ok(true) => {
                    let _the_next_run_tries_again = std::fs::remove_dir_all(&dir);
                }
                Ok(false) => {}
                Err(error) => errors.push(error),
            }
            drop(lock);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// Whether nothing is left, and nothing can appear any more.
async fn sweep_run(aws: &Aws, poller: &Poller, past: &Past) -> Result<bool, Error> {
    let known = |left: &Left| left.id.clone().map(|id| (left.object, id, age(left)));
    let mut found: Vec<(Object, String, Age)> = past.open.iter().filter_map(known).collect();
    let unknown: Vec<&Left> = past.open.iter().filter(|left| left.id.is_none()).collect();
    let mut is_all = true;
    for left in unknown {
        let ids = by_token(aws, left.object, &left.token).await.map_err(|refusal| {
            refusal.error(&format!("cannot look for what the run `{}` left", past.run))
        })?;
        is_all &= !ids.is_empty() || age(left) == Age::Settled;
        found.extend(ids.into_iter().map(|id| (left.object, id, Age::Settled)));
    }
    // An instance holds its group, an AMI its snapshot: each goes after what uses it.
    found.sort_by_key(|(object, ..)| *object);
    let mut ending = Vec::new();
    for (object, id, age) in &found {
        // An AMI that was registered before the run died stands on its snapshot: both stay.
        let in_use = if *object == Object::Snapshot { Duration::ZERO } else { FREE_WITHIN };
        if *object == Object::Snapshot && is_used(aws, id).await? {
            continue;
        }
        match try_remove(aws, *object, id, *age, (UNSEEN, in_use)).await? {
            Removal::Done if *object == Object::Instance => ending.push(id),
            Removal::Done | Removal::WasGone => {}
            Removal::Unseen => is_all = false,
            Removal::InUse(_) if *object == Object::Snapshot => {}
            Removal::InUse(refusal) => {
                return Err(refusal.error(&format!("cannot remove `{id}`, which was left")));
            }
        }
    }
    for id in ending {
        poller.terminated(id).await?;
    }
    Ok(is_all)
}

fn age(left: &Left) -> Age {
    let is_settled = left.seen || left.at + APPEARS_WITHIN < now();
    if is_settled { Age::Settled } else { Age::Young }
}

/// Whether an AMI stands on a snapshot.
async fn is_used(aws: &Aws, snapshot: &str) -> Result<bool, Error> {
    let filters = filter("block-device-mapping.snapshot-id", [snapshot]);
    let answer = aws.ec2.describe_images().owners("self").filters(filters).send().await;
    let answer = answer.map_err(|error| {
        Refusal::from(error).error(&format!("cannot look for AMIs of the snapshot `{snapshot}`"))
    })?;
    Ok(!answer.images().is_empty())
}
