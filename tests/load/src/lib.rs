//! Requests at a steady rate, every answer kept: what deploys are watched with.
//!
//! HTTP in the clear, and GET alone. Half of the requests come on connections that are kept, half on new ones: what
//! breaks the one seldom breaks the other.

mod address;
mod answer;
mod connection;
mod load;
mod record;

pub use address::Address;
pub use load::{Load, Running, get};
pub use record::{Outcome, Record, Request};
