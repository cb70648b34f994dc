//! Where images start: AMIs, what is known of them, and how recipes name them.

mod facts;
mod resolve;

pub(crate) use facts::{BaseImage, MachineFacts};
pub(crate) use resolve::resolve;
