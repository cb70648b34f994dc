//! What a deployment may say: how many servers, how their health is told, who reaches them.
//!
//! The bounds are those of Elastic Load Balancing where it has any (`CreateTargetGroup`, `ModifyTargetGroupAttributes`).

mod health;
mod network;
mod replicas;
mod traffic;

pub use health::{
    DEFAULT_INTERVAL, default_timeout, health_count, health_interval, health_status,
    health_timeout, request_path, shorter,
};
pub use network::{certificate, cidr, in_region, target_group};
pub use replicas::{keep_previous, replicas, step};
pub use traffic::{another_port, balancer_subnets, declared, drain, no_port};

/// The instance type that servers run on unless told.
pub const SERVER_TYPE: &str = "t3.micro";
