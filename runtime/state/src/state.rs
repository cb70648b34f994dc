use crate::clock::Moment;
use crate::lease::{Attempt, Held};
use crate::place::{Folder, Place};
use crate::watch::Watch;
use crate::{Bucket, begun, history, images};
use async_trait::async_trait;
use kiln_engine::Error;
use kiln_engine::driver::{HistoryEntry, Holder, Intent, Lease, NotYours, State};
use kiln_engine::plan::ImageRecord;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A state in a folder or a bucket.
#[derive(Clone)]
pub struct Shared {
    place: Arc<dyn Place>,
    lease_time: Duration,
}

/// Between two looks at a lease that somebody else has.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Shared {
    /// A state in a directory, which is made when it is first written.
    #[must_use]
    pub fn in_folder(path: PathBuf, lease_time: Duration) -> Self {
        Self { place: Arc::new(Folder::new(path)), lease_time }
    }

    /// A state in a part of a bucket.
    #[must_use]
    pub fn in_bucket(bucket: Bucket, lease_time: Duration) -> Self {
        Self { place: Arc::new(bucket), lease_time }
    }
}

#[async_trait]
impl State for Shared {
    async fn lease(
        &self,
        deployment: &str,
        holder: &Holder,
        patience: Duration,
    ) -> Result<Box<dyn Lease>, NotYours> {
        check(deployment).map_err(NotYours::Failed)?;
        let since = Moment::now();
        let mut watch = Watch::default();
        loop {
            let time = self.lease_time;
            let attempt = Held::take(&self.place, deployment, holder, time, &mut watch).await;
            match attempt.map_err(NotYours::Failed)? {
                Attempt::Taken(held) => return Ok(held),
                Attempt::Busy(holder, left) => {
                    let patience = patience.saturating_sub(since.elapsed());
                    if patience.is_zero() {
                        return Err(NotYours::Held { holder, until: seconds_from_now(left) });
                    }
                    let pause = left.max(Duration::from_millis(50)).min(LOOK_EVERY).min(patience);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn history(&self, deployment: &str) -> Result<Vec<HistoryEntry>, Error> {
        check(deployment)?;
        history::read(&self.place, deployment).await
    }

    async fn image(&self, key: &str) -> Result<Option<ImageRecord>, Error> {
        images::read(self.place.as_ref(), key).await
    }

    async fn intents(&self) -> Result<BTreeMap<String, Intent>, Error> {
        begun::intents(self.place.as_ref()).await
    }
}

/// A name becomes a part of a path.
fn check(deployment: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !deployment.is_empty() && !deployment.starts_with('.') && deployment.chars().all(fits) {
        return Ok(());
    }
    Err(Error::input(format!("no deployment can be named `{deployment}`"))
        .help("names have letters, digits, `-`, `_` and `.`"))
}

fn seconds_from_now(left: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now + left).as_secs()
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("place", &self.place.name()).finish_non_exhaustive()
    }
}
