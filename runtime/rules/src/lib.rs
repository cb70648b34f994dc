//! What is well formed in a recipe: names, paths, modes, durations, sizes, what EC2 takes, what a
//! deployment may say.
//!
//! The one place for these rules. `image!` applies them to literals while a recipe compiles, the model
//! applies them to computed values when the recipe runs, so both say the same words. A rule takes the
//! text and returns what is wrong with it; it reads nothing, and knows neither spans nor origins.

mod command;
mod deployment;
mod ec2;
mod mode;
mod name;
mod nearest;
mod path;
mod quantity;
mod suite;

pub use command::{authorized_key, command, env_value};
pub use deployment::{
    DEFAULT_INTERVAL, SERVER_TYPE, another_port, balancer_subnets, certificate, cidr, declared,
    default_timeout, drain, health_count, health_interval, health_status, health_timeout,
    in_region, keep_previous, no_port, replicas, request_path, shorter, step, target_group,
};
pub use ec2::{
    REGIONS, ami, ami_name_pattern, ami_owner, ami_parameter, architecture, instance_profile,
    instance_type, instance_types, region, security_group, subnet, tag_key, tag_value, tags,
    user_data, volume_iops, volume_kind, volume_size, volume_throughput,
};
pub use mode::mode;
pub use name::{account, env_name, layer, node, owner, package, project, service, systemd_unit};
pub use nearest::nearest;
pub use path::{destination, directory, source};
pub use quantity::{bytes, digest, duration, duration_or_none, port, url};
pub use suite::{SUITES, suite};

/// What is wrong with a value, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was found and what is expected: lowercase, no full stop, names in backticks.
    pub message: String,
    /// What to do, where there is more to say than the message does.
    pub help: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
