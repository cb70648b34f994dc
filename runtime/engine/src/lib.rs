//! The engine of Kiln: Document → graph → keys → plan → outcome.
//!
//! It never knows what an op does: drivers do.

pub mod bake;
pub mod deploy;
mod digest;
pub mod driver;
mod error;
mod event;
pub mod graph;
pub mod inputs;
pub mod key;
pub mod lock;
pub mod plan;
pub mod store;

pub use digest::{CacheKey, Digest, NotADigest};
pub use error::{Error, ErrorKind};
pub use event::{DeployPhase, Event, Events, NodeName};
