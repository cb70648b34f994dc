//! OCI image layouts: what other tools make of ours, what we make of theirs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests prepare must succeed")]

mod exports;
mod imports;
mod layers;
mod layouts;
mod tools;
