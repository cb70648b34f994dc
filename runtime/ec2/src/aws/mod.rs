//! The way to EC2: where it is, as whom, and what its refusals mean.

mod connection;
mod filter;
mod refusal;
mod storage;
pub(crate) mod tags;
mod visible;

pub(crate) use connection::Aws;
pub(crate) use filter::{MOST, filter};
pub(crate) use refusal::Refusal;
pub use storage::{Keys, Storage};
pub(crate) use visible::{VISIBLE_WITHIN, once_visible};
