use super::hash::Hashed;
use super::layout::{Layout, is_for_here, is_index, is_manifest};
use crate::archive::{Compression, Whiteouts, decompress, unpack_over};
use kiln_engine::Error;
use oci_spec::image::{
    Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, Os,
};
use std::fs;
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// As many lower layers as the overlay file system takes (`OVL_MAX_STACK` of Linux).
const LAYERS: usize = 500;
/// How deep indexes may lie in indexes.
const DEPTH: usize = 4;

/// An image whose layers were unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The lowest first.
    pub layers: Vec<ImportedLayer>,
    /// `NAME=VALUE`, in the image's order.
    pub env: Vec<String>,
    /// What the image runs; empty: only `cmd`.
    pub entrypoint: Vec<String>,
    /// The default arguments of `entrypoint`, or what the image runs.
    pub cmd: Vec<String>,
    /// As whom it runs, as the image has it (`name`, `uid`, `uid:gid`, …); `None`: root.
    pub user: Option<String>,
    /// Where it runs; `None`: `/`.
    pub working_dir: Option<String>,
}

/// One layer of an [`Imported`] image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedLayer {
    /// Its directory, in the overlay file system's form.
    pub dir: PathBuf,
    /// SHA-256 of its uncompressed archive, as `sha256:…`.
    pub diff_id: String,
    /// What made it, in the words of who made it. May be empty.
    pub created_by: String,
}

/// Unpacks the layers of an image into `into/0`, `into/1`, …, the lowest first.
///
/// `manifest_digest` is what [`resolve`](super::resolve) gave; where it names an index, the image for
/// this machine is taken. `into` is an empty directory that the caller throws away on an error: what is in
/// it then was not verified.
///
/// # Errors
/// When a blob is missing, is not what its digest says, or is refused as an archive; when the image is not
/// for this machine.
pub fn import(layout: &Path, manifest_digest: &str, into: &Path) -> Result<Imported, Error> {
    let opened = Layout::open(layout)?;
    let descriptor = opened
        .index
        .manifests()
        .iter()
        .find(|descriptor| descriptor.digest().to_string() == manifest_digest)
        .ok_or_else(|| {
            Error::input(format!(
                "`{}` has no image `{manifest_digest}` any more",
                layout.display()
            ))
        })?;
    let descriptor = image_for_here(&opened, layout, descriptor.clone())?;
    let manifest: ImageManifest = opened.json(&descriptor)?;
    let config: ImageConfiguration = opened.json(manifest.config())?;
    if *config.architecture() != Arch::default() || *config.os() != Os::Linux {
        return Err(Error::input(format!(
            "the image `{manifest_digest}` of `{}` is for {}/{}, this machine is linux/{}",
            layout.display(),
            config.os(),
            config.architecture(),
            Arch::default()
        )));
    }
    let diff_ids = config.rootfs().diff_ids();
    if diff_ids.len() != manifest.layers().len() || diff_ids.len() > LAYERS {
        return Err(Error::input(format!(
            "the image `{manifest_digest}` of `{}` has {} layers and {} digests for them; at most {LAYERS}",
            layout.display(),
            manifest.layers().len(),
            diff_ids.len()
        )));
    }
    let mut history =
        config.history().iter().flatten().filter(|made| made.empty_layer() != Some(true));
    let mut layers: Vec<ImportedLayer> = Vec::new();
    for (at, (layer, diff_id)) in manifest.layers().iter().zip(diff_ids).enumerate() {
        let dir = into.join(at.to_string());
        let below: Vec<&Path> = layers.iter().rev().map(|layer| layer.dir.as_path()).collect();
        unpack_layer(&opened, layer, diff_id, &dir, &below).map_err(|error| {
            Error::input(format!("cannot import layer {at} of `{}`", layout.display()))
                .caused_by(error)
        })?;
        let created_by =
            history.next().and_then(|made| made.created_by().clone()).unwrap_or_default();
        layers.push(ImportedLayer { dir, diff_id: diff_id.clone(), created_by });
    }
    let run = config.config().clone().unwrap_or_default();
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Ok(Imported {
        layers,
        env: run.env().clone().unwrap_or_default(),
        entrypoint: run.entrypoint().clone().unwrap_or_default(),
        cmd: run.cmd().clone().unwrap_or_default(),
        user: some(run.user()),
        working_dir: some(run.working_dir()),
    })
}

/// Follows indexes to an image.
fn image_for_here(opened: &Layout, layout: &Path, from: Descriptor) -> Result<Descriptor, Error> {
    let place = layout.display();
    let mut descriptor = from;
    for _ in 0..DEPTH {
        if is_manifest(&descriptor) {
            return Ok(descriptor);
        }
        if !is_index(&descriptor) {
            return Err(Error::input(format!(
                "`{}` of `{place}` is no image but `{}`",
                descriptor.digest(),
                descriptor.media_type()
            )));
        }
        let index: ImageIndex = opened.json(&descriptor)?;
        let next = index
            .manifests()
            .iter()
            .find(|next| (is_manifest(next) || is_index(next)) && is_for_here(next));
        let Some(next) = next else {
            return Err(Error::input(format!(
                "`{}` of `{place}` has no image for linux/{}",
                descriptor.digest(),
                Arch::default()
            )));
        };
        descriptor = next.clone();
    }
    Err(Error::input(format!("indexes lie more than {DEPTH} deep in `{place}`")))
}

fn unpack_layer(
    layout: &Layout,
    layer: &Descriptor,
    diff_id: &str,
    dir: &Path,
    below: &[&Path],
) -> Result<(), Error> {
    let compression = compression(layer.media_type())?;
    let failed = |error: io::Error| layout.unreadable(layer, error);
    let mut blob = layout.blob(layer)?;
    fs::create_dir(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755)))
        .map_err(|error| {
            Error::environment(format!("cannot make the directory `{}`", dir.display()))
                .caused_by(error)
        })?;
    let unpacked = decompress(compression, BufReader::with_capacity(1 << 18, &mut blob))
        .map_err(failed)
        .and_then(|reader| {
            let mut hashed = Hashed::new(reader);
            unpack_over(&mut hashed, dir, Whiteouts::Oci, below)?;
            let (_, sha256, _) = hashed.finish();
            Ok(format!("sha256:{sha256}"))
        });
    // A blob that is not what its digest says is the cause of whatever else went wrong.
    let verified = blob.finish().map_err(failed);
    let result = match (verified, unpacked) {
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(unpacked)) if unpacked == diff_id => Ok(()),
        (Ok(()), Ok(unpacked)) => Err(Error::input(format!(
            "layer `{}` unpacks to `{unpacked}`, the image's configuration says `{diff_id}`",
            layer.digest()
        ))),
    };
    if result.is_err() {
        // Nothing of it may be taken for good. The caller removes what is left.
        let _ = fs::remove_dir_all(dir);
    }
    result
}

fn compression(media_type: &MediaType) -> Result<Compression, Error> {
    match media_type {
        MediaType::ImageLayer | MediaType::ImageLayerNonDistributable => Ok(Compression::None),
        MediaType::ImageLayerGzip | MediaType::ImageLayerNonDistributableGzip => {
            Ok(Compression::Gzip)
        }
        MediaType::ImageLayerZstd | MediaType::ImageLayerNonDistributableZstd => {
            Ok(Compression::Zstd)
        }
        MediaType::Other(name) => match name.as_str() {
            "application/vnd.docker.image.rootfs.diff.tar" => Ok(Compression::None),
            "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Compression::Gzip),
            "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Compression::Zstd),
            name => Err(Error::input(format!("layers of the type `{name}` are not known"))),
        },
        other => Err(Error::input(format!("layers of the type `{other}` are not known"))),
    }
}
