//! What stands beside what runs: who changes a deployment now, what was about to be done, and what was done.
//!
//! One folder a deployment, in a directory or in an S3 bucket:
//!
//! - `lease.json`: who has the right to change it, and what they were about to do. One object, so that a process that
//!   has lost its lease cannot write an intent either: both are one conditional put.
//! - `../.begun/DEPLOYMENT.RUN`: empty; says that the lease may have an intent. One listing finds all of them.
//! - `history/000001.json`, …: what was done, one object an entry, never written again.
//! - `../.images/KEY.json`: what an image was made of that was deployed, one object for all deployments: to name, on any
//!   machine, the file that changed.
//! - `clock`: written to learn what time it is *there*. Whether a lease has ended is told by the times at which the place itself
//!   wrote two objects, never by the clocks of two machines; or by who has watched it for its time, on one clock of their own.
//!
//! This crate knows no deployment from another and nothing of what runs.

mod address;
mod begun;
mod clock;
mod stored;
mod watch;

mod history;
mod images;
mod lease;
mod state;

mod place;

pub use address::Address;
pub use place::{Bucket, Credential, Credentials};
pub use state::Shared;
