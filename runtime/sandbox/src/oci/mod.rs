//! OCI image layouts: images from outside imported, our own exported.
//!
//! A layout is a directory of blobs named by their SHA-256 and an `index.json` that says which of them
//! are images ([image layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md)).
//!
//! Layouts from outside are hostile: every blob is held to its digest and size while it is read, JSON is
//! at most 4 MiB, and layers are unpacked as any [archive](crate::archive).
//!
//! What is exported is bit for bit the same for the same layers, on any machine: no clock, no names, one
//! compressor whose output does not depend on the processor or the number of threads.

mod cache;
mod config;
mod export;
mod gzip;
mod hash;
mod import;
mod index;
mod layout;
mod tarball;

pub use export::{ExportImage, ExportLayer, Exported, check, export};
pub use import::{Imported, ImportedLayer, import};
pub use index::resolve;
