//! From the raw tree to the valid one.
//!
//! Each function takes raw parts and yields valid ones or `None`, after noting why in the sink. What has a
//! mistake emits nothing; what stands beside it goes on. One mistake is reported once: a key that is there
//! but wrong is not reported as missing too.

mod base;
mod builder;
mod destination;
mod image;
mod input;
mod keys;
mod map;
mod step;
mod template;
mod value;
mod volume;

pub(crate) use image::recipe;
pub(crate) use input::Inputs;
