//! The EC2 builder: AMIs baked over SSH, layer by layer, a snapshot each; and the deployer, which runs them.
//!
//! An artifact is a snapshot of a layer's machine, or an AMI. The tags of snapshots and AMIs are the index:
//! what is found by its key is not made again, wherever it was made.

mod builder;

mod aws;
mod run;
mod wait;

mod base;
mod index;

mod launch;
mod session;

mod probe;
mod publish;

mod deploy;

mod gc;

mod files;
mod ssh;

pub use aws::{Keys, Storage};
pub use builder::{Ec2, Place, region};
pub use deploy::Deployer;
