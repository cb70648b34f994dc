//! Who hands traffic to servers: what `load_balancer` takes.

use super::health::millis;
use super::{Ec2Target, Health, LoadBalancer, LoadBalancerKind, NewLoadBalancer, TargetNode, port};
use crate::{Origin, Problems};
use kiln_rules as rules;
use std::time::Duration;

/// The time that open requests are given unless told.
const DRAIN: Duration = Duration::from_secs(30);

/// Who may connect unless told: everybody.
const EVERYBODY: &str = "0.0.0.0/0";

/// A load balancer that a deployment makes, as a recipe says it. See [`application`] and [`network`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    origin: Origin,
    kind: LoadBalancerKind,
    listen: Option<u16>,
    to: Option<u16>,
    certificate: Option<String>,
    internal: bool,
    subnets: Vec<String>,
    from: Vec<String>,
    drain: Option<String>,
}

/// Somebody else's target group. See [`target_group`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    origin: Origin,
    arn: Option<String>,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balancer {
    /// See [`application`] and [`network`].
    Made(Made),
    /// See [`target_group`].
    TargetGroup(TargetGroup),
}

/// A load balancer of its own that hands out HTTP requests. It stands in two zones at least.
///
/// ```
/// # use kiln::prelude::*;
/// let balancer = load_balancer::application().listen(80).to(8080).from(["10.0.0.0/8"]);
/// ```
#[track_caller]
#[must_use]
pub fn application() -> Made {
    Made::new(LoadBalancerKind::Application)
}

/// A load balancer of its own that hands out TCP connections.
///
/// ```
/// # use kiln::prelude::*;
/// let balancer = load_balancer::network().listen(5432).internal(true);
/// ```
#[track_caller]
#[must_use]
pub fn network() -> Made {
    Made::new(LoadBalancerKind::Network)
}

/// A target group that somebody else made: servers are registered with it, and nothing of it is changed.
///
/// ```
/// # use kiln::prelude::*;
/// let group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
/// let balancer = load_balancer::target_group().arn(group);
/// ```
#[track_caller]
#[must_use]
pub fn target_group() -> TargetGroup {
    TargetGroup { origin: Origin::caller(), arn: None }
}

impl Made {
    #[track_caller]
    fn new(kind: LoadBalancerKind) -> Self {
        Self {
            origin: Origin::caller(),
            kind,
            listen: None,
            to: None,
            certificate: None,
            internal: false,
            subnets: Vec::new(),
            from: Vec::new(),
            drain: None,
        }
    }

    /// The port that it listens on: 80 unless told, with a certificate 443.
    #[must_use]
    pub fn listen(mut self, port: u16) -> Self {
        self.listen = Some(port);
        self
    }

    /// The port of servers that it hands traffic to, one of the deployment's `ports`: that of the health check unless
    /// told, without one the only port.
    #[must_use]
    pub fn to(mut self, port: u16) -> Self {
        self.to = Some(port);
        self
    }

    /// The certificate, by its ARN, for HTTPS or TLS. Traffic is in the clear unless told.
    #[must_use]
    pub fn certificate(mut self, arn: impl Into<String>) -> Self {
        self.certificate = Some(arn.into());
        self
    }

    /// Whether it has addresses of the network alone, and none on the internet: `false` unless told.
    #[must_use]
    pub fn internal(mut self, internal: bool) -> Self {
        self.internal = internal;
        self
    }

    /// The subnets that it stands in: those of the servers unless told.
    #[must_use]
    pub fn subnets<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.subnets = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Who may connect to it, as CIDRs: everybody, `0.0.0.0/0`, unless told.
    #[must_use]
    pub fn from<S: Into<String>>(mut self, networks: impl IntoIterator<Item = S>) -> Self {
        self.from = networks.into_iter().map(Into::into).collect();
        self
    }

    /// The time that open requests are given when a server is taken out, in whole seconds, 0 s to an hour: `"30s"`
    /// unless told.
    #[must_use]
    pub fn drain(mut self, duration: impl Into<String>) -> Self {
        self.drain = Some(duration.into());
        self
    }

    fn into_node(self, around: &Around<'_>, problems: &mut Problems) -> NewLoadBalancer {
        let Self { origin, kind, listen, to, certificate, internal, subnets, from, drain } = self;
        if let Some(arn) = &certificate {
            around.arn(arn, rules::certificate(arn), &origin, problems);
        }
        let listen = listen.unwrap_or(if certificate.is_some() { 443 } else { 80 });
        problems.check(&origin, rules::port(listen.into()));
        for id in &subnets {
            problems.check(&origin, rules::subnet(id));
        }
        let TargetNode::Ec2(Ec2Target { subnets: of_servers, .. }) = around.target;
        let standing = if subnets.is_empty() { of_servers } else { &subnets };
        if kind == LoadBalancerKind::Application {
            problems.check(&origin, rules::balancer_subnets(standing.len()));
        }
        for network in &from {
            problems.check(&origin, rules::cidr(network));
        }
        let drain = drain.and_then(|text| problems.check(&origin, rules::drain(&text)));
        NewLoadBalancer {
            to: around.port(to, &origin, problems),
            origin,
            kind,
            listen,
            certificate,
            internal,
            subnets,
            from: if from.is_empty() { vec![EVERYBODY.into()] } else { from },
            drain_ms: millis(drain.unwrap_or(DRAIN)),
        }
    }
}

impl TargetGroup {
    /// Its ARN.
    #[must_use]
    pub fn arn(mut self, arn: impl Into<String>) -> Self {
        self.arn = Some(arn.into());
        self
    }
}

impl From<Made> for Balancer {
    fn from(balancer: Made) -> Self {
        Self::Made(balancer)
    }
}

impl From<TargetGroup> for Balancer {
    fn from(group: TargetGroup) -> Self {
        Self::TargetGroup(group)
    }
}

/// What else the deployment says that a load balancer depends on.
pub(super) struct Around<'a> {
    pub(super) target: &'a TargetNode,
    pub(super) ports: &'a [u16],
    pub(super) health: Option<&'a Health>,
}

impl Balancer {
    pub(super) fn into_node(self, around: &Around<'_>, problems: &mut Problems) -> LoadBalancer {
        match self {
            Self::Made(made) => LoadBalancer::Made(made.into_node(around, problems)),
            Self::TargetGroup(TargetGroup { origin, arn }) => {
                match &arn {
                    Some(arn) => around.arn(arn, rules::target_group(arn), &origin, problems),
                    None => problems.push(
                        &origin,
                        "the target group has no `arn`",
                        Some("add `arn`, or let the deployment make an `application` or `network` load balancer".into()),
                    ),
                }
                LoadBalancer::TargetGroup { origin, arn: arn.unwrap_or_default() }
            }
        }
    }
}

impl Around<'_> {
    fn arn(
        &self,
        arn: &str,
        outcome: Result<(), rules::Fault>,
        origin: &Origin,
        problems: &mut Problems,
    ) {
        let TargetNode::Ec2(Ec2Target { region, .. }) = self.target;
        if let (Some(()), Some(region)) = (problems.check(origin, outcome), region) {
            problems.check(origin, rules::in_region(arn, region));
        }
    }

    /// The port that is said, or else that of the health check, or else the only one.
    fn port(&self, said: Option<u16>, origin: &Origin, problems: &mut Problems) -> u16 {
        match (said, self.health) {
            // Where that is wrong, it is noted there.
            (None, Some(health)) => health.check.port(),
            _ => port::choose("the load balancer", said, self.ports, origin, problems),
        }
    }
}
