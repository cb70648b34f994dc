//! The deployer in labs: a deployment's whole life, on groups and balancers that are real.
//!
//! Needs what the host's tests in labs need. A test's deployer lives in a process of its own, whose environment names
//! the test's lab: this program again, with the one test that no other run takes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "../../../host-ec2/tests/lab/cloud.rs"]
#[allow(dead_code, reason = "the host's tests use all of it")]
mod cloud;
mod shop;

mod failures;
mod fronts;
mod life;
mod moves;
