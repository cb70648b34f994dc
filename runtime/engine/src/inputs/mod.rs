//! Inputs: the files and trees that recipes name, hashed.

mod manifest;

pub use manifest::{Entry, EntryKind, Manifest};
