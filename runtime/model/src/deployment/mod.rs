//! Deployments: images that run, where, how many, and how they are replaced.
//!
//! The recipe's side ([`Deployment`] and what its methods take) and the Document's ([`DeploymentNode`] and what is in
//! it) are apart: a recipe says durations as people write them and leaves unsaid what has a default, the Document says
//! everything. `check` leads from the one to the other.

mod check;
pub mod health;
pub mod load_balancer;
mod node;
mod port;
mod recipe;
mod replicas;
pub mod strategy;
pub mod target;
#[cfg(test)]
mod tests;

pub use node::{
    DeploymentNode, Ec2Target, Health, HealthCheck, LoadBalancer, LoadBalancerKind,
    NewLoadBalancer, Replicas, Strategy, TargetNode,
};
pub use recipe::Deployment;
pub use replicas::ReplicaBounds;
