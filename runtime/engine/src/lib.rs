//! The engine of Kiln: Document → graph → keys → plan → outcome.
//!
//! It never knows what an op does: drivers do.

mod digest;
pub mod driver;
mod error;
mod event;
pub mod inputs;
pub mod lock;

pub use digest::{CacheKey, Digest, NotADigest};
pub use error::{Error, ErrorKind};
pub use event::{Event, Events, NodeName};
