use crate::place::Place;
use crate::stored::Stored;
use kiln_engine::Error;
use kiln_engine::driver::Intent;
use std::collections::BTreeMap;

/// Where marks are. No deployment is named like it.
const FOLDER: &str = ".begun";

/// Says that a lease may have an intent, before it has. The mark is of the run that began it: who has lost a lease can
/// only clear its own.
pub(crate) async fn mark(
    place: &dyn Place,
    deployment: &str,
    intent: &Intent,
) -> Result<(), Error> {
    place.touch(&path(deployment, intent), Vec::new()).await.map(drop)
}

/// Takes the mark of an intent away, after the lease has it no more.
pub(crate) async fn clear(
    place: &dyn Place,
    deployment: &str,
    intent: &Intent,
) -> Result<(), Error> {
    place.remove(&path(deployment, intent)).await
}

/// All intents: one listing, and a read for each lease that may have one.
pub(crate) async fn intents(place: &dyn Place) -> Result<BTreeMap<String, Intent>, Error> {
    let mut found = BTreeMap::new();
    for name in place.list(FOLDER).await? {
        let Some((deployment, _)) = name.rsplit_once('.') else { continue };
        if found.contains_key(deployment) {
            continue;
        }
        let path = format!("{deployment}/lease.json");
        let Some(object) = place.get(&path).await? else { continue };
        let stored = Stored::parse(&object.bytes, &format!("{}/{path}", place.name()))?;
        if let Some(intent) = stored.intent {
            found.insert(deployment.to_owned(), intent);
        }
    }
    Ok(found)
}

fn path(deployment: &str, intent: &Intent) -> String {
    let run = blake3::hash(intent.holder.run.as_bytes()).to_hex();
    format!("{FOLDER}/{deployment}.{}", &run[..16])
}
