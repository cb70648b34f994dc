use crate::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// What a key needs of `index.json` (OCI image layout specification, image index).
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

const TAG: &str = "org.opencontainers.image.ref.name";
const MAX_INDEX: u64 = 4 << 20;

/// The digest of the manifest that a tag of an OCI layout names; without a tag, of its only one.
///
/// # Errors
/// When the directory is no layout, or does not have exactly one such manifest.
pub(super) fn manifest_digest(root: &Path, path: &str, tag: Option<&str>) -> Result<String, Error> {
    let index = root.join(path).join("index.json");
    let mut text = String::new();
    std::fs::File::open(&index)
        .and_then(|file| file.take(MAX_INDEX).read_to_string(&mut text))
        .map_err(|error| {
            Error::input(format!("`{path}` is no OCI layout: cannot read `index.json`"))
                .help("name a directory with `oci-layout`, `index.json` and `blobs/`")
                .caused_by(error)
        })?;
    let index: Index = serde_json::from_str(&text).map_err(|error| {
        Error::input(format!("malformed `index.json` in the OCI layout `{path}`")).caused_by(error)
    })?;
    let tags: Vec<&str> =
        index.manifests.iter().filter_map(|m| m.annotations.get(TAG)).map(String::as_str).collect();
    let has_tag =
        |m: &&Descriptor| tag.is_none_or(|tag| m.annotations.get(TAG).is_some_and(|t| t == tag));
    let matching: Vec<&Descriptor> = index.manifests.iter().filter(has_tag).collect();
    match (&matching[..], tag) {
        ([one], _) => {
            kiln::rules::digest(&one.digest)
                .map_err(|fault| Error::input(format!("OCI layout `{path}`: {}", fault.message)))?;
            Ok(one.digest.clone())
        }
        ([], Some(tag)) => {
            Err(Error::input(format!("the OCI layout `{path}` has no image tagged `{tag}`"))
                .help(format!("it has: {}", tags.join(", "))))
        }
        ([], None) => Err(Error::input(format!("the OCI layout `{path}` has no image"))),
        (_, None) => Err(Error::input(format!("the OCI layout `{path}` has several images"))
            .help(format!("pick one with `.tag(\"…\")`: {}", tags.join(", ")))),
        (_, Some(tag)) => {
            Err(Error::input(format!("the OCI layout `{path}` has several images tagged `{tag}`")))
        }
    }
}
