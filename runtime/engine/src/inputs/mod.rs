//! Inputs: the files and trees that recipes name, hashed; and templates, rendered.
//!
//! It owns how content becomes a digest and when a digest of an earlier run may be trusted. It does not
//! know which recipe names an input: errors carry no origin.

mod content;
mod difference;
mod encoding;
mod manifest;
mod read;
mod render;
mod resolve;
mod stamp;
mod stat_cache;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod walk;

pub use difference::{Change, Difference};
pub use manifest::{Entry, EntryKind, Manifest, NotAManifest};
pub use read::{Input, Inputs};
pub use render::render;
