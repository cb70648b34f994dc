use super::hash::Verified;
use kiln_engine::Error;
use oci_spec::image::{Arch, Descriptor, DigestAlgorithm, ImageIndex, MediaType, OciLayout, Os};
use rustix::fs::OFlags;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most that a JSON document of a layout may have, in bytes.
const JSON: u64 = 4 << 20;
/// The content of `oci-layout`.
pub(super) const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation that holds a tag.
pub(super) const TAG: &str = "org.opencontainers.image.ref.name";
/// What Docker calls an image index.
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What Docker calls an image manifest.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image layout that is read. Nothing in it is believed.
pub(super) struct Layout {
    root: PathBuf,
    /// What its `index.json` says.
    pub(super) index: ImageIndex,
}

impl Layout {
    /// Reads the marker and the index of a layout.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        check_marker(root)?;
        let bytes = bounded(&root.join("index.json"))
            .map_err(|error| no_layout(root, format!("cannot read `index.json`: {error}")))?;
        let index: ImageIndex = serde_json::from_slice(&bytes)
            .map_err(|error| no_layout(root, format!("malformed `index.json`: {error}")))?;
        if index.schema_version() != 2 {
            let version = index.schema_version();
            return Err(no_layout(root, format!("its index has the version {version}")));
        }
        Ok(Self { root: root.to_owned(), index })
    }

    /// Opens a blob; it is verified as it is read.
    pub(super) fn blob(&self, descriptor: &Descriptor) -> Result<Verified<File>, Error> {
        if *descriptor.digest().algorithm() != DigestAlgorithm::Sha256 {
            return Err(Error::input(format!(
                "blob `{}` of `{}` is not named by a SHA-256",
                descriptor.digest(),
                self.root.display()
            )));
        }
        let sha256 = descriptor.digest().digest().to_owned();
        let file = regular(&self.root.join("blobs/sha256").join(&sha256))
            .map_err(|error| self.unreadable(descriptor, error))?;
        Ok(Verified::new(file, sha256, descriptor.size()))
    }

    /// Reads and verifies a JSON document.
    pub(super) fn json<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, Error> {
        if descriptor.size() > JSON {
            let why = format!("a document of {} bytes, more than {JSON}", descriptor.size());
            return Err(self.unreadable(descriptor, io::Error::other(why)));
        }
        let mut blob = self.blob(descriptor)?;
        let mut bytes = Vec::new();
        blob.read_to_end(&mut bytes)
            .and_then(|_| blob.finish())
            .map_err(|error| self.unreadable(descriptor, error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreadable(descriptor, error.into()))
    }

    /// The blob is not there, or is not what it should be.
    pub(super) fn unreadable(&self, descriptor: &Descriptor, error: io::Error) -> Error {
        let (digest, root) = (descriptor.digest(), self.root.display());
        Error::input(format!("cannot use blob `{digest}` of `{root}`")).caused_by(error)
    }
}

/// Whether a directory says that it is a layout.
pub(super) fn check_marker(root: &Path) -> Result<(), Error> {
    let bytes = bounded(&root.join("oci-layout"))
        .map_err(|error| no_layout(root, format!("cannot read `oci-layout`: {error}")))?;
    let marker: OciLayout = serde_json::from_slice(&bytes)
        .map_err(|error| no_layout(root, format!("malformed `oci-layout`: {error}")))?;
    if marker.image_layout_version().starts_with("1.") {
        return Ok(());
    }
    let version = marker.image_layout_version();
    Err(no_layout(root, format!("it has the unknown version `{version}`")))
}

fn no_layout(root: &Path, why: String) -> Error {
    Error::input(format!("`{}` is not an OCI image layout: {why}", root.display()))
        .help("a layout is a directory made by `skopeo copy … oci:DIR:TAG` or `cargo xtask export`")
}

/// Whether a descriptor names an index, not an image.
pub(super) fn is_index(descriptor: &Descriptor) -> bool {
    match descriptor.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(name) => name == DOCKER_INDEX,
        _ => false,
    }
}

/// Whether a descriptor names an image.
pub(super) fn is_manifest(descriptor: &Descriptor) -> bool {
    match descriptor.media_type() {
        MediaType::ImageManifest => true,
        MediaType::Other(name) => name == DOCKER_MANIFEST,
        _ => false,
    }
}

/// Whether a descriptor is for this machine, or does not say for what it is.
pub(super) fn is_for_here(descriptor: &Descriptor) -> bool {
    descriptor.platform().as_ref().is_none_or(|platform| {
        *platform.architecture() == Arch::default() && *platform.os() == Os::Linux
    })
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular(path)?.take(JSON + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > JSON {
        return Err(io::Error::other(format!("it has more than {JSON} bytes")));
    }
    Ok(bytes)
}

/// Opens a regular file: a pipe would be waited for without end.
fn regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}
