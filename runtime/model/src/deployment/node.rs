use crate::{Origin, Volume};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A deployment in the Document: an image, where it runs, how many servers, how they are replaced, and how their
/// health is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentNode {
    /// Unique in the Document, among images too.
    pub name: String,
    /// What it is, for people.
    pub doc: String,
    /// Where it was written.
    pub origin: Origin,
    /// Its image, by the index in [`crate::Document::images`].
    pub image: usize,
    /// Where its servers run, and on what.
    pub target: TargetNode,
    /// How many servers.
    pub replicas: Replicas,
    /// The TCP ports that its servers listen on.
    pub ports: Vec<u16>,
    /// How a healthy server is told; `None`: by its state alone.
    pub health: Option<Health>,
    /// How servers are replaced.
    pub strategy: Strategy,
    /// Who hands traffic to its servers; `None`: nobody.
    pub load_balancer: Option<LoadBalancer>,
    /// Tags of all that is made for it.
    pub tags: BTreeMap<String, String>,
}

/// Where servers run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetNode {
    /// See [`Ec2Target`].
    Ec2(Ec2Target),
}

/// Where on EC2 servers run, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ec2Target {
    /// Where it was named.
    pub origin: Origin,
    /// The region; `None`: that of the environment, as every tool of AWS finds it.
    pub region: Option<String>,
    /// The instance type: `t3.micro`.
    pub instance_type: String,
    /// The subnets; empty: those of the default VPC.
    pub subnets: Vec<String>,
    /// Security groups; empty: one is made that lets in the declared ports.
    pub security_groups: Vec<String>,
    /// The instance profile, by name or ARN; `None`: servers have no role.
    pub instance_profile: Option<String>,
    /// The volume that servers boot from; `None`: as the image's.
    pub volume: Option<Volume>,
    /// What cloud-init is handed; `None`: nothing.
    pub user_data: Option<String>,
    /// Whether servers have an address on the internet; `None`: as the subnet says.
    pub public_address: Option<bool>,
}

/// How many servers there are: `min ≤ desired ≤ max`. Where `min < max` something else may move the number between
/// them; where all are equal, the number is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    /// At least.
    pub min: u32,
    /// At first.
    pub desired: u32,
    /// At most.
    pub max: u32,
}

/// How a healthy server is told from one that is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Where it was named.
    pub origin: Origin,
    /// What is asked of a server.
    pub check: HealthCheck,
    /// Milliseconds between two checks.
    pub interval_ms: u64,
    /// Milliseconds that one may take.
    pub timeout_ms: u64,
    /// How many in a row must pass before a server counts as healthy.
    pub healthy: u32,
    /// How many in a row must fail before it counts as not.
    pub unhealthy: u32,
    /// Milliseconds within which all servers of a new generation must be healthy.
    pub within_ms: u64,
    /// Milliseconds for which they must stay so before the old generation goes.
    pub soak_ms: u64,
}

/// What is asked of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// A GET that is answered with this status.
    Http {
        /// On this port.
        port: u16,
        /// Of this path.
        path: String,
        /// 200 unless told.
        status: u16,
    },
    /// A connection that is accepted.
    Tcp {
        /// On this port.
        port: u16,
    },
}

/// How the servers of a deployment are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All new ones beside the old ones; when all are healthy the traffic moves, and the old ones stay without it.
    RedBlack {
        /// How many generations stay warm that could take the traffic again.
        keep_previous: u32,
    },
    /// A few at a time: the new generation grows as the old one shrinks.
    Rolling {
        /// How many at a time.
        step: u32,
    },
}

/// Who hands traffic to servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancer {
    /// One is made for the deployment.
    Made(NewLoadBalancer),
    /// Somebody else's target group: only the servers are registered.
    TargetGroup {
        /// Where it was named.
        origin: Origin,
        /// Its ARN.
        arn: String,
    },
}

/// A load balancer that a deployment makes, with one listener and one target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLoadBalancer {
    /// Where it was named.
    pub origin: Origin,
    /// Whether it knows HTTP or connections only.
    pub kind: LoadBalancerKind,
    /// The port that it listens on.
    pub listen: u16,
    /// The port of servers that it hands traffic to.
    pub to: u16,
    /// The certificate's ARN, for HTTPS or TLS; `None`: in the clear.
    pub certificate: Option<String>,
    /// Whether it has addresses of the network alone.
    pub internal: bool,
    /// Its subnets; empty: those of the servers.
    pub subnets: Vec<String>,
    /// Who may connect to it, as CIDRs.
    pub from: Vec<String>,
    /// Milliseconds that open requests are given when a server is taken out.
    pub drain_ms: u64,
}

/// What a load balancer knows of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancerKind {
    /// HTTP requests.
    Application,
    /// TCP connections.
    Network,
}
