use crate::place::{Place, Put};
use kiln_engine::Error;
use kiln_engine::driver::HistoryEntry;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many entries are read at once.
const AT_ONCE: usize = 16;

/// All entries, oldest first.
pub(crate) async fn read(
    place: &Arc<dyn Place>,
    deployment: &str,
) -> Result<Vec<HistoryEntry>, Error> {
    let mut names = place.list(&folder(deployment)).await?;
    names.retain(|name| number(name).is_some());
    let mut entries: Vec<Option<HistoryEntry>> = vec![None; names.len()];
    let mut left = names.into_iter().enumerate();
    let mut reading = JoinSet::new();
    loop {
        while reading.len() < AT_ONCE
            && let Some((index, name)) = left.next()
        {
            let path = format!("{}/{name}", folder(deployment));
            let place = Arc::clone(place);
            reading.spawn(async move { (index, one(place.as_ref(), &path).await) });
        }
        match reading.join_next().await {
            None => break,
            Some(Ok((index, entry))) => entries[index] = entry?,
            Some(Err(error)) => {
                return Err(Error::environment("cannot read the history").caused_by(error));
            }
        }
    }
    Ok(entries.into_iter().flatten().collect())
}

/// Adds an entry after the last. Two that add at once get numbers of their own.
pub(crate) async fn append(
    place: &dyn Place,
    deployment: &str,
    entry: &HistoryEntry,
) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(entry).map_err(|error| {
        Error::environment("cannot write an entry of the history down").caused_by(error)
    })?;
    let names = place.list(&folder(deployment)).await?;
    let mut next = names.iter().filter_map(|name| number(name)).max().unwrap_or(0) + 1;
    loop {
        let path = format!("{}/{next:06}.json", folder(deployment));
        match place.put(&path, bytes.clone(), None).await? {
            Put::Done(_) => return Ok(()),
            Put::Conflict => next += 1,
        }
    }
}

async fn one(place: &dyn Place, path: &str) -> Result<Option<HistoryEntry>, Error> {
    let Some(object) = place.get(path).await? else { return Ok(None) };
    let entry = serde_json::from_slice(&object.bytes).map_err(|error| {
        let path = format!("{}/{path}", place.name());
        Error::environment(format!("`{path}` is not an entry of a history"))
            .help("it was written by another Kiln, or is damaged: move it away")
            .caused_by(error)
    })?;
    Ok(Some(entry))
}

fn folder(deployment: &str) -> String {
    format!("{deployment}/history")
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}
