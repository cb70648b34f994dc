//! A lab of a test's own, and projects that are baked in it.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod lab;
mod project;

pub use lab::Lab;
pub use project::Project;
