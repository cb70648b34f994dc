use super::manifest::{LayerManifest, Stamp, Times, boot, locate};
use kiln_engine::{Digest, Error};
use rayon::prelude::*;
use std::path::Path;

/// Whether a stored layer is what it was when it was stored.
///
/// Where nothing has been touched since, in the same boot or after the content has been seen once in a
/// later one, this looks at each file's stamp only. Otherwise everything is hashed.
pub(super) fn is_intact(dir: &Path, diff: Digest, staging: &Path) -> Result<bool, Error> {
    let root = dir.join("fs");
    let Some(manifest) = LayerManifest::read(&dir.join("manifest")) else { return Ok(false) };
    let settled = manifest.boot.is_empty() || manifest.boot == boot();
    if settled && is_untouched(&root, &manifest) {
        // What names the digest was itself checked by a checksum; the directory's name was not.
        return Ok(manifest.digest() == diff);
    }
    let Ok(mut found) = LayerManifest::of(&root, Times::Leave) else { return Ok(false) };
    if found.digest() != diff {
        return Ok(false);
    }
    if manifest.boot != boot() {
        found.boot.clear();
    }
    found.write(&dir.join("manifest"), staging)?;
    Ok(true)
}

fn is_untouched(root: &Path, manifest: &LayerManifest) -> bool {
    // A file that was added or taken away changes the stamp of its directory.
    manifest.entries.par_iter().with_min_len(256).all(|entry| {
        let path = locate(root, &entry.path);
        rustix::fs::lstat(&path).is_ok_and(|stat| Stamp::of(&stat) == entry.stamp)
    })
}
