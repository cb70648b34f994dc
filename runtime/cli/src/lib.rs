//! Commands of the host, and what people and programs read of them.
//!
//! `cargo xtask` runs the recipes and pipes their Document in; this crate owns the arguments, the order
//! of the engine's phases, the rendering of plans, progress and errors, and the exit codes. It knows no
//! driver but by its constructor.

mod args;
mod command;
mod exit;
mod project;
mod report;

pub use exit::main;
