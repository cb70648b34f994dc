use super::cache::{Blob, compressed};
use super::config::configuration;
use super::hash::{Verified, hex_of};
use super::layout::{MARKER, TAG, check_marker};
use super::tarball;
use crate::archive::Expected;
use kiln_engine::{Digest, Error};
use oci_spec::image::{Arch, Descriptor, ImageManifestBuilder, MediaType, Os, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;

/// What is exported.
#[derive(Clone)]
pub struct ExportImage<'a> {
    /// The lowest first.
    pub layers: Vec<ExportLayer<'a>>,
    /// The environment of what the image runs.
    pub env: &'a BTreeMap<String, String>,
    /// What it runs; empty: its init system, where it has one.
    pub start: &'a [String],
}

/// One layer of an [`ExportImage`].
#[derive(Clone, Copy)]
pub struct ExportLayer<'a> {
    /// For the image's history.
    pub name: &'a str,
    /// A directory of the overlay file system. It does not change meanwhile.
    pub dir: &'a Path,
    /// Of everything in it that is archived: names, contents, modes, owners, links, attributes. Under it
    /// the compressed archive is cached.
    pub digest: Digest,
    /// Tells the digest of a file's content by its path in `dir`, where it is known: what is archived
    /// is compared with it. Not asked for a layer that is cached.
    pub expected: Option<Expected<'a>>,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Of the image's manifest, as `sha256:…`.
    pub manifest_digest: String,
    /// Bytes of the image's blobs: its compressed layers, its configuration and its manifest.
    pub bytes: u64,
    /// Layers that are in the image. Empty ones are not.
    pub layers: usize,
    /// Of those, how many were compressed by an earlier export.
    pub cached: usize,
}

/// Writes an image as an OCI image layout: a directory, made or added to; a single file when the name
/// ends in `.tar`, which is replaced.
///
/// Images of other tags in the layout stay. `cache` is a directory of this function's own, which may be
/// removed at any time.
///
/// # Errors
/// When `tag` is no tag, `to` is a directory with something else in it, a layer is damaged, or something
/// cannot be written. The layout then has the images that it had before.
pub fn export(
    image: &ExportImage<'_>,
    to: &Path,
    tag: &str,
    cache: &Path,
) -> Result<Exported, Error> {
    check(to, tag)?;
    if to.extension().is_some_and(|extension| extension == "tar") {
        return tarball::export(to, |layout| export_directory(image, layout, tag, cache));
    }
    export_directory(image, to, tag, cache)
}

fn export_directory(
    image: &ExportImage<'_>,
    to: &Path,
    tag: &str,
    cache: &Path,
) -> Result<Exported, Error> {
    let failed = |error: io::Error| cannot_write(to, error);
    // What is no layout is not written to. One without an index is what a killed export left.
    let is_new = is_unused(to)?;
    if !is_new {
        check_marker(to)?;
    }
    fs::create_dir_all(cache).map_err(|error| cannot_write(cache, error))?;
    let made = all_compressed(&image.layers, cache)?;
    let blobs = to.join("blobs/sha256");
    fs::create_dir_all(to).map_err(failed)?;
    if is_new {
        place(to, "oci-layout", |file| file.write_all(MARKER)).map_err(failed)?;
    }
    fs::create_dir_all(&blobs).map_err(failed)?;
    let mut layers = Vec::new();
    let mut exported = Exported { manifest_digest: String::new(), bytes: 0, layers: 0, cached: 0 };
    let mut descriptors = Vec::new();
    for (layer, mut blob) in image.layers.iter().zip(made) {
        if blob.record.entries == 0 {
            layers.push((layer.name, None));
            continue;
        }
        if !has_blob(&blobs, &blob.record.sha256, blob.record.size) {
            let placed = place(&blobs, &blob.record.sha256, |file| blob.copy(file));
            match placed {
                Err(error) if error.kind() == io::ErrorKind::InvalidData && blob.was_cached => {
                    blob.forget();
                    blob = compressed(layer, cache)?;
                    place(&blobs, &blob.record.sha256, |file| blob.copy(file)).map_err(failed)?;
                }
                placed => placed.map_err(failed)?,
            }
        }
        exported.bytes += blob.record.size;
        exported.layers += 1;
        exported.cached += usize::from(blob.was_cached);
        descriptors.push(descriptor(
            MediaType::ImageLayerGzip,
            &blob.record.sha256,
            blob.record.size,
        )?);
        layers.push((layer.name, Some(format!("sha256:{}", blob.record.diff))));
    }

    let mut put = |media_type: MediaType, bytes: Vec<u8>| {
        let sha256 = hex_of(&bytes);
        place(&blobs, &sha256, |file| file.write_all(&bytes)).map_err(failed)?;
        exported.bytes += bytes.len() as u64;
        descriptor(media_type, &sha256, bytes.len() as u64)
    };
    let configuration = configuration(image, &layers)?;
    let config = put(MediaType::ImageConfig, to_json(&configuration).map_err(failed)?)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(descriptors)
        .build()
        .map_err(|error| failed(io::Error::other(error)))?;
    let mut manifest = put(MediaType::ImageManifest, to_json(&manifest).map_err(failed)?)?;
    exported.manifest_digest = manifest.digest().to_string();
    let mut platform = Platform::default();
    platform.set_architecture(Arch::default());
    platform.set_os(Os::Linux);
    manifest.set_platform(Some(platform));
    #[expect(clippy::disallowed_types, reason = "the type of `oci-spec`; one entry has one order")]
    let annotations = std::collections::HashMap::from([(TAG.to_owned(), tag.to_owned())]);
    manifest.set_annotations(Some(annotations));
    add_to_index(to, tag, &manifest).map_err(failed)?;
    Ok(exported)
}

/// The compressed archives of all layers, in their order. Files are read side by side; compression is
/// spread over all processors below.
fn all_compressed(layers: &[ExportLayer<'_>], cache: &Path) -> Result<Vec<Blob>, Error> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let todo = Mutex::new(layers.iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..processors.min(layers.len()) {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().map(|mut todo| todo.next());
                    let Ok(Some((at, layer))) = next else { return };
                    let blob = compressed(layer, cache);
                    let is_failed = blob.is_err();
                    if let Ok(mut done) = done.lock() {
                        done.insert(at, blob);
                    }
                    if is_failed {
                        // What the others have begun they end; nothing more is begun.
                        if let Ok(mut todo) = todo.lock() {
                            todo.by_ref().for_each(drop);
                        }
                    }
                }
            });
        }
    });
    let done = done
        .into_inner()
        .map_err(|_| Error::environment("cannot archive the layers".to_owned()))?;
    done.into_values().collect()
}

/// Whether a layout has a blob already, unharmed.
fn has_blob(blobs: &Path, sha256: &str, size: u64) -> bool {
    File::open(blobs.join(sha256))
        .and_then(|file| Verified::new(file, sha256.to_owned(), size).finish())
        .is_ok()
}

/// Writes a file under a temporary name and renames it.
fn place(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    write(file.as_file_mut())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(directory.join(name)).map_err(|error| error.error)?;
    Ok(())
}

/// Names the image in the index, in place of one with the same tag. Two exports at once into one layout
/// wait for each other.
fn add_to_index(layout: &Path, tag: &str, image: &Descriptor) -> io::Result<()> {
    let lock = File::open(layout)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
    let path = layout.join("index.json");
    let mut index = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
        }),
        bytes => serde_json::from_slice(&bytes?)?,
    };
    let manifests = index.get_mut("manifests").and_then(Value::as_array_mut);
    let manifests = manifests.ok_or_else(|| io::Error::other("`index.json` has no `manifests`"))?;
    manifests.retain(|other| {
        other.get("annotations").and_then(|all| all.get(TAG)).and_then(Value::as_str) != Some(tag)
    });
    manifests.push(serde_json::to_value(image)?);
    place(layout, "index.json", |file| file.write_all(&serde_json::to_vec(&index)?))
}

/// Whether an image may be exported there under that tag: asked before it is baked for it.
///
/// # Errors
/// When `tag` is no tag, or `to` is something other than a layout.
pub fn check(to: &Path, tag: &str) -> Result<(), Error> {
    check_tag(tag)?;
    let is_archive = to.extension().is_some_and(|extension| extension == "tar");
    if is_archive || is_unused(to)? { Ok(()) } else { check_marker(to) }
}

/// Whether a directory is not there, or empty.
fn is_unused(to: &Path) -> Result<bool, Error> {
    match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(cannot_write(to, error)),
        Ok(mut entries) => Ok(entries.next().is_none()),
    }
}

/// Tags of a registry's reference (distribution specification, "Pulling manifests"): others cannot be
/// named on the command lines of other tools.
fn check_tag(tag: &str) -> Result<(), Error> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = tag.bytes().next().is_some_and(is_word);
    let rest = tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
    if first && rest && tag.len() <= 128 {
        return Ok(());
    }
    Err(Error::input(format!("`{tag}` is no tag"))
        .help("a tag is up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two"))
}

fn descriptor(media_type: MediaType, sha256: &str, size: u64) -> Result<Descriptor, Error> {
    let digest =
        oci_spec::image::Digest::from_str(&format!("sha256:{sha256}")).map_err(|error| {
            Error::environment("cannot describe a blob".to_owned()).caused_by(error)
        })?;
    Ok(Descriptor::new(media_type, size, digest))
}

fn to_json(document: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(document)?)
}

pub(super) fn cannot_write(to: &Path, error: io::Error) -> Error {
    Error::environment(format!("cannot write to `{}`", to.display())).caused_by(error)
}
