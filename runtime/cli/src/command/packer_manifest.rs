use crate::project::Project;
use kiln_engine::bake::{NodeOutcome, Outcome};
use kiln_engine::driver::Artifact;
use kiln_engine::{CacheKey, Digest, Error};
use serde_json::{Value, json};
use std::path::Path;

/// Writes what the complete images became as Packer's post-processor `manifest` does
/// (<https://developer.hashicorp.com/packer/docs/post-processors/manifest>), for tools that read that. The run
/// is named after what it made: the same images, the same name.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(path: &Path, baked: &[(&Project<'_>, &Outcome)]) -> Result<(), Error> {
    let mut there: Vec<(&str, CacheKey, &Artifact, &Project<'_>)> = Vec::new();
    for (project, outcome) in baked {
        for entry in project.images() {
            if let Some(
                NodeOutcome::Cached { key, artifact } | NodeOutcome::Built { key, artifact },
            ) = outcome.nodes.get(&entry.tip)
            {
                there.push((entry.image.name.as_str(), *key, artifact, project));
            }
        }
    }
    let keys: Vec<String> = there.iter().map(|(_, key, ..)| key.to_string()).collect();
    let run = uuid(Digest::of(keys.join("\n").as_bytes()));
    let builds = there
        .iter()
        .map(|(name, key, artifact, project)| build(name, *key, artifact, &run, project));
    let manifest = json!({ "builds": builds.collect::<Vec<_>>(), "last_run_uuid": run });
    let text = format!("{manifest:#}\n");
    std::fs::write(path, text).map_err(|error| {
        Error::environment(format!("cannot write `{}`", path.display())).caused_by(error)
    })
}

fn build(
    name: &str,
    key: CacheKey,
    artifact: &Artifact,
    run: &str,
    project: &Project<'_>,
) -> Value {
    let target = project.keyed.target();
    let (kind, id) = match &target.place {
        Some(region) => ("amazon-ebs".to_owned(), format!("{region}:{}", artifact.id)),
        None => (format!("kiln.{}", target.builder), artifact.id.clone()),
    };
    json!({
        "name": name,
        "builder_type": kind,
        "build_time": project.store.record(key).map_or(0, |record| record.at),
        "files": null,
        "artifact_id": id,
        "packer_run_uuid": run,
        "custom_data": { "kiln_key": key.to_string() },
    })
}

/// A digest in the form of a UUID of version 8: one whose bits mean what its maker says (RFC 9562, section 5.8).
fn uuid(digest: Digest) -> String {
    let hex = digest.to_string();
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_in_the_form_of_a_uuid() {
        let id = uuid(Digest::of(b"x"));
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_eq!((&id[14..15], &id[19..20]), ("8", "8"));
    }
}
