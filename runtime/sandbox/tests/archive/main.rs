//! Archives from outside: what is kept, and what is refused.

#![expect(clippy::unwrap_used, reason = "what tests prepare must succeed")]

mod kept;
mod made;
mod properties;
mod refused;
