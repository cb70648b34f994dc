//! What EC2 takes: names of its regions and instance types, identifiers, tags, volumes.
//!
//! The lists of regions and instance types are data of one day. A name that is newer than they are is refused
//! until they are made anew, which is the price of underlining a misspelled one.

mod families;
mod identifier;
mod image;
mod instance_type;
mod regions;
mod tag;
mod volume;

pub use identifier::{instance_profile, security_group, subnet};
pub use image::{ami, ami_name_pattern, ami_owner, ami_parameter};
pub use instance_type::{architecture, instance_type, instance_types};
pub use regions::{REGIONS, region};
pub use tag::{tag_key, tag_value, tags, user_data};
pub use volume::{volume_iops, volume_kind, volume_size, volume_throughput};
