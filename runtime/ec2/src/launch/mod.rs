//! A machine that is launched, reached by nobody but this process, and ended.

mod address;
mod group;
mod instance;
mod keep;
mod temporary;
mod user_data;

use address::{address, reachable_from};

pub(crate) use instance::{Launch, Launched, Start};
pub(crate) use temporary::registration;
pub(crate) use user_data::{LOGIN, PORT};
