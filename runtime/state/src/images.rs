//! What images were made of, by their keys: one for all deployments that start from it.

use crate::place::Place;
use kiln_engine::Error;
use kiln_engine::plan::ImageRecord;

/// Where they are. No deployment is named like it.
const FOLDER: &str = ".images";

/// One that another Kiln has written, or that is damaged, counts as not kept: nothing but a reason's words depends on it.
pub(crate) async fn read(place: &dyn Place, key: &str) -> Result<Option<ImageRecord>, Error> {
    let Some(path) = path(key) else { return Ok(None) };
    let object = place.get(&path).await?;
    Ok(object.and_then(|object| serde_json::from_slice(&object.bytes).ok()))
}

/// Keeps one, unless it is there.
pub(crate) async fn keep(place: &dyn Place, key: &str, image: &ImageRecord) -> Result<(), Error> {
    let Some(path) = path(key) else { return Ok(()) };
    let bytes = serde_json::to_vec(image).map_err(|error| {
        Error::environment("cannot write down what an image is made of").caused_by(error)
    })?;
    place.put(&path, bytes, None).await.map(drop)
}

/// A key comes from a history, which others write: it chooses no path.
fn path(key: &str) -> Option<String> {
    let is_key = !key.is_empty() && key.chars().all(|digit| digit.is_ascii_hexdigit());
    is_key.then(|| format!("{FOLDER}/{key}.json"))
}
