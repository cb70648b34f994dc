//! The EC2 deployer: a generation of a deployment is an Auto Scaling group, on a version of its launch template.
//!
//! Names and tags say what is whose, and nothing is kept anywhere else: `names`. What is declared and what runs are told
//! in the same words: `traits`, `observe`. Everything awaited is read by the region's one poller.

mod deployer;

mod names;
mod traits;

mod check;
mod listening;

mod observe;
mod world;

mod balancer;
mod front;
mod listener;
mod network;
mod prepare;
mod security;
mod shift;
mod stale;
mod target_group;

mod group;
mod moving;
mod template;
mod traffic;

mod ask;
mod asking;
mod health;
mod tally;
mod watch;

mod destroy;
mod left;
mod removal;

mod refused;
mod seen;
mod works;

pub(crate) use asking::Answers;
pub use deployer::Deployer;
pub(crate) use left::Left;
