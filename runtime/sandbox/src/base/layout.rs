use crate::oci;
use crate::sandbox::Inner;
use kiln::OciLayout;
use kiln_engine::driver::{Artifact, BaseInput};
use kiln_engine::{CacheKey, Error};
use std::path::Path;

/// Keeps the layers of an image in a local OCI layout, the lowest first, and the last under `key`.
pub(super) fn import(
    inner: &Inner,
    key: CacheKey,
    base: &BaseInput,
    layout: &OciLayout,
    dir: &Path,
) -> Result<Artifact, Error> {
    let path = base.root.join(&layout.path);
    let manifest = base.manifest.as_deref().ok_or_else(|| {
        Error::environment(format!("no image was chosen in the OCI layout `{}`", layout.path))
    })?;
    let imported = oci::import(&path, manifest, dir)?;
    let (last, below) = imported.layers.split_last().ok_or_else(|| {
        Error::input(format!("the image in the OCI layout `{}` has no layers", layout.path))
    })?;
    let mut parent = None;
    for layer in below {
        parent = Some(inner.layers.stack(&layer.dir, parent)?.id());
    }
    inner.layers.keep(&last.dir, parent, key).map(|(artifact, _)| artifact)
}
