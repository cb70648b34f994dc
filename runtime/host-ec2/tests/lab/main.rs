//! The host as a process, baking in labs whose instances are real: a lab for each test, brought up by it.
//!
//! Needs root, and what `cargo xtask lab up` installs; Python's environment is where `KILN_LAB_PYTHON` says, or
//! where that command has made it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cloud;
mod project;
mod terminal;

mod bakes;
mod example;
mod faults;
mod garbage;
mod hands;
mod images;
mod kills;
mod places;

mod deploy_asks;
mod deploy_drain;
mod deploy_drift;
mod deploy_fleet;
mod deploy_kills;
mod deploy_named;
mod deploy_ports;
mod deploy_refusals;
mod deploy_resources;
mod deploy_state;
mod deploy_traffic;
