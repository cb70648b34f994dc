use crate::oci::{self, ExportImage, ExportLayer, Exported};
use crate::sandbox::Sandbox;
use kiln_engine::Error;
use kiln_engine::driver::Artifact;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::task::block_in_place;

/// What an image is beside its layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSpec {
    /// The environment of what it runs.
    pub env: BTreeMap<String, String>,
    /// What it runs; empty: its init system, where it has one.
    pub start: Vec<String>,
    /// The names of its layers, the lowest first, for its history.
    pub names: Vec<String>,
}

impl Sandbox {
    /// Writes an artifact as an OCI image layout: a directory, or a file ending in `.tar`. Compressed
    /// layers are kept in the store for the next export.
    ///
    /// # Errors
    /// Of kind [`kiln_engine::ErrorKind::Damaged`] when a layer is not what was stored; else when the
    /// layout cannot be written.
    pub fn export(
        &self,
        artifact: &Artifact,
        spec: &ExportSpec,
        to: &Path,
        tag: &str,
    ) -> Result<Exported, Error> {
        block_in_place(|| {
            let layers = &self.inner.layers;
            let mut chains = layers.verified(artifact)?;
            chains.reverse();
            let roots: Vec<_> = chains.iter().map(|chain| layers.root(chain.diff)).collect();
            let names = spec.names.iter().map(String::as_str).chain(std::iter::repeat(""));
            let layers = chains.iter().zip(&roots).zip(names);
            let layers = layers.map(|((chain, dir), name)| ExportLayer {
                name,
                dir,
                digest: chain.diff,
                expected: None,
            });
            let image =
                ExportImage { layers: layers.collect(), env: &spec.env, start: &spec.start };
            oci::export(&image, to, tag, &self.inner.blobs)
        })
    }
}
