//! The host as a process, baking in labs whose instances are real: a lab for each test, brought up by it.
//!
//! Needs root, and what `cargo xtask lab up` installs; Python's environment is where `KILN_LAB_PYTHON` says, or
//! where that command has made it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cloud;
mod project;

mod bakes;
mod faults;
mod garbage;
mod images;
mod kills;
