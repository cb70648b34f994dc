//! Deployments: images that run, where, how many, and how they are replaced.

mod node;

pub use node::{
    DeploymentNode, Ec2Target, Health, HealthCheck, LoadBalancer, LoadBalancerKind,
    NewLoadBalancer, Replicas, Strategy, TargetNode,
};
