//! Keys: what a node is made of, as fields; a cache key is the digest of these fields.
//!
//! What is in the key is what `explain` shows, because both are the same list. What an op holds is taken
//! apart without `..`: a new part that nobody thought about here does not compile.

mod cover;
mod definition;
mod field;
mod target;

pub use definition::{Definition, Prepared, ResolveLayout, Step};
pub use field::{Field, Fields, Parent, cache_key};
pub use target::Target;
