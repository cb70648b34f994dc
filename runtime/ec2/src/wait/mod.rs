//! Waiting for EC2: one poller for everything that is awaited in a region.
//!
//! Throttling is account-wide, so twenty machines that boot cost one call a round, not twenty. There is no
//! number of tries: what is awaited has an id that is written down, and a deadline in hours.

mod follow;
mod groups;
mod pace;
mod poller;
mod rounds;
mod seen;
mod states;

pub(crate) use follow::Follower;
pub(crate) use groups::{Checks, Failure, Group, Targets, group, target_health};
pub(crate) use poller::Poller;
pub(crate) use seen::{Kind, Seen};
