//! The local builder: overlay layers, one OCI container per layer, OCI images out.

pub mod archive;
