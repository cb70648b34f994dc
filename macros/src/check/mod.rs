//! From the raw tree to the valid one.
//!
//! Each function takes raw parts and yields valid ones or `None`, after noting why in the sink. What has a
//! mistake emits nothing; what stands beside it goes on. One mistake is reported once: a key that is there
//! but wrong is not reported as missing too.

mod across;
mod base;
mod builder;
mod call;
mod deployment;
mod destination;
mod head;
mod image;
mod input;
mod keys;
mod map;
mod replicas;
mod step;
mod template;
mod value;
mod volume;
mod word;

pub(crate) use deployment::deployment;
pub(crate) use image::image;
pub(crate) use input::Inputs;
