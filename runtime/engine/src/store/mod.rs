//! The store: records of what was built, and who builds what right now.
//!
//! Safe under concurrent processes and `kill -9`: what is written gets its name last, and carries a
//! checksum that is verified when it is read. Artifacts themselves are their driver's.

mod checked;
mod lease;
mod record;

pub use checked::{read_checked, write_checked};
pub use lease::Lease;
pub use record::Record;

use crate::inputs::Manifest;
use crate::key::Target;
use crate::{CacheKey, Digest, Error, NodeName};
use std::path::{Path, PathBuf};

/// A directory with everything that Kiln keeps between bakes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store, making what is not there.
    ///
    /// # Errors
    /// When its directories cannot be made.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let store = Self { root: root.to_owned() };
        for folder in ["records", "nodes", "manifests", "leases", "inputs", "tmp"] {
            let path = root.join(folder);
            std::fs::create_dir_all(&path).map_err(|error| {
                Error::environment(format!(
                    "cannot make the store's directory `{}`",
                    path.display()
                ))
                .help("run as root, or name another place with `--store DIR`")
                .caused_by(error)
            })?;
        }
        Ok(store)
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the stat caches of inputs are kept.
    #[must_use]
    pub fn inputs(&self) -> PathBuf {
        self.root.join("inputs")
    }

    /// Keeps the record of a node that was built, as the last one of its name that was made for this target in
    /// this project.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(
        &self,
        project: &Path,
        target: &Target,
        record: &Record,
        trees: &[(Digest, &Manifest)],
    ) -> Result<(), Error> {
        for (digest, manifest) in trees {
            let path = self.manifest_path(*digest);
            if !path.exists() {
                self.write(&path, &manifest.to_bytes())?;
            }
        }
        let text = serde_json::to_vec(record)
            .map_err(|error| Error::environment("cannot write a record").caused_by(error))?;
        self.write(&self.record_path(record.key), &text)?;
        self.write(
            &self.node_path(project, target, &record.node),
            record.key.to_string().as_bytes(),
        )
    }

    /// The record of a key. One that is damaged is dropped.
    #[must_use]
    pub fn record(&self, key: CacheKey) -> Option<Record> {
        let bytes = read_checked(&self.record_path(key))?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The record of the last build of a node for a target, by its name in a project.
    #[must_use]
    pub fn last(&self, project: &Path, target: &Target, node: &NodeName) -> Option<Record> {
        let key = read_checked(&self.node_path(project, target, node))?;
        let key = std::str::from_utf8(&key).ok()?.parse().ok()?;
        self.record(CacheKey(key))
    }

    /// The manifest of a tree that a record names.
    #[must_use]
    pub fn manifest(&self, digest: Digest) -> Option<Manifest> {
        Manifest::from_bytes(&read_checked(&self.manifest_path(digest))?).ok()
    }

    /// Takes the right to build a key, waiting for another that holds it. `on_wait` is called once if
    /// there is one.
    ///
    /// # Errors
    /// When the lease file cannot be made.
    pub async fn lease(&self, key: CacheKey, on_wait: impl FnOnce()) -> Result<Lease, Error> {
        Lease::take(&self.root.join("leases").join(key.to_string()), on_wait).await
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        write_checked(&self.root.join("tmp"), path, bytes).map_err(|error| {
            Error::environment(format!("cannot write `{}`", path.display())).caused_by(error)
        })
    }

    fn record_path(&self, key: CacheKey) -> PathBuf {
        fan_out(&self.root.join("records"), &key.to_string())
    }

    fn manifest_path(&self, digest: Digest) -> PathBuf {
        fan_out(&self.root.join("manifests"), &digest.to_string())
    }

    fn node_path(&self, project: &Path, target: &Target, node: &NodeName) -> PathBuf {
        let project = Digest::of(project.as_os_str().as_encoded_bytes()).short();
        let Target { builder, place, architecture } = target;
        // A builder without places builds on this machine, for this machine.
        let at = match place {
            Some(place) => format!("{builder}.{place}.{architecture}"),
            None => builder.clone(),
        };
        self.root.join("nodes").join(project).join(at).join(&node.image).join(&node.layer)
    }
}

fn fan_out(folder: &Path, name: &str) -> PathBuf {
    folder.join(&name[..2]).join(name)
}
