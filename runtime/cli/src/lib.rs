//! Commands of the host, and what people and programs read of them.
//!
//! `cargo xtask` runs the recipes and pipes their Document in; this crate owns the arguments, the order
//! of the engine's phases, the rendering of plans, progress and errors, and the exit codes. A host is a
//! `main` that hands it the drivers that it has beside the local one.

mod args;
mod command;
mod deployments;
mod driver;
mod exit;
mod places;
mod project;
mod recipes;
mod report;
mod sandbox;

pub use driver::{At, Driver};
pub use exit::main;
