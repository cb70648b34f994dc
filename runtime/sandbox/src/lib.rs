//! The local builder: overlay layers, one OCI container per layer, OCI images out.
//!
//! An artifact is a chain of layers; a layer is the upper directory of an overlay. A session mounts an
//! overlay on top of a chain, puts files into it, and runs commands in a container of `crun` or `runc` that
//! has the overlay as its root. A checkpoint unmounts the overlay, hashes what was written, and moves it
//! into the store.
//!
//! Call [`isolate()`] first in `main`, then open a [`Sandbox`] on a store.

mod sandbox;

mod isolate;
mod run;

mod base;
mod files;
mod layers;

mod accounts;
mod put;
mod session;

mod config;
mod container;
mod overlay;
mod process;

mod probe;

mod export;

pub mod archive;
pub mod oci;

mod cgroup;
mod fault;
mod host;
mod output;
mod runtime;

pub use export::ExportSpec;
pub use isolate::isolate;
pub use layers::LayerIndex;
pub use sandbox::Sandbox;
