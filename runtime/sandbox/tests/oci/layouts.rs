//! Small layouts, made to be wrong in one way.

use kiln_sandbox::oci::{import, resolve};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::fs;
use std::path::Path;

pub(crate) fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a blob into a layout; its digest.
pub(crate) fn put_blob(layout: &Path, bytes: &[u8]) -> String {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let sha256 = sha256(bytes);
    fs::write(blobs.join(&sha256), bytes).unwrap();
    format!("sha256:{sha256}")
}

pub(crate) fn put_index(layout: &Path, images: &[(&str, &str, usize, Option<&str>)]) {
    let manifests: Vec<Value> = images
        .iter()
        .map(|(media_type, digest, size, tag)| {
            let annotations = tag.map(|tag| json!({ "org.opencontainers.image.ref.name": tag }));
            let mut image = json!({ "mediaType": media_type, "digest": digest, "size": size });
            if let Some(annotations) = annotations {
                image["annotations"] = annotations;
            }
            image
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layout with one image of one layer, whose archive and claimed digest are given.
pub(crate) fn small_layout(
    layer: &[u8],
    diff_id: Option<&str>,
    tag: &str,
) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path();
    let right = format!("sha256:{}", sha256(layer));
    let config = json!({
        "architecture": oci_spec::image::Arch::default().to_string(),
        "os": "linux",
        "config": { "User": "nobody", "Entrypoint": ["/bin/x"], "Cmd": null },
        "rootfs": { "type": "layers", "diff_ids": [diff_id.unwrap_or(&right)] },
    });
    let config = config.to_string().into_bytes();
    let digest = put_blob(layout, layer);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": put_blob(layout, &config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest,
            "size": layer.len(),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let manifest_digest = put_blob(layout, &manifest);
    put_index(layout, &[(MANIFEST, &manifest_digest, manifest.len(), Some(tag))]);
    (dir, digest)
}

pub(crate) fn small_tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(7);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    builder.append_data(&mut header, "file", &b"content"[..]).unwrap();
    builder.into_inner().unwrap()
}

pub(crate) fn import_error(layout: &Path) -> String {
    let into = tempfile::tempdir().unwrap();
    let digest = resolve(layout, None).unwrap();
    let error = import(layout, &digest, into.path()).unwrap_err().chain();
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "something of it was kept: {error}");
    error
}
