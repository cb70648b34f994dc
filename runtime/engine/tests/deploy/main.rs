//! Deployments: planned, executed, killed at every moment and brought to their end, in a world in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
mod executed;
mod fronts;
mod group;
mod inside;
mod killed;
mod memory;
mod planned;
mod random;
mod recovered;
mod rolled_back;
mod world;
