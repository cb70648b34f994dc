use super::listening::Listening;
use super::traits::seconds;
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetGroup};
use kiln::{DeploymentNode, Health, HealthCheck, LoadBalancerKind, NewLoadBalancer};
use std::fmt;

/// What a load balancer asks of a server, and how often. Where a deployment declares more than AWS takes, the nearest
/// that it takes
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) protocol: ProtocolEnum,
    /// `None`: the port that traffic goes to.
    pub(super) port: Option<u16>,
    /// For HTTP: the path, and the statuses that count as healthy.
    pub(super) http: Option<(String, String)>,
    /// Seconds.
    pub(super) interval: i32,
    /// Seconds.
    pub(super) timeout: i32,
    pub(super) healthy: i32,
    pub(super) unhealthy: i32,
}

impl Check {
    pub(super) fn declared(deployment: &DeploymentNode, made: &NewLoadBalancer) -> Self {
        let health = deployment.health.as_ref();
        let port = match health.map(|health| &health.check) {
            Some(HealthCheck::Http { port, .. } | HealthCheck::Tcp { port }) => Some(*port),
            None => None,
        };
        let http = match health.map(|health| &health.check) {
            Some(HealthCheck::Http { path, status, .. }) => {
                Some((path.clone(), status.to_string()))
            }
            // An application load balancer knows no other check: whatever answers counts.
            Some(HealthCheck::Tcp { .. }) | None if made.kind == LoadBalancerKind::Application => {
                Some(("/".into(), "200-499".into()))
            }
            Some(HealthCheck::Tcp { .. }) | None => None,
        };
        let (interval, timeout, healthy, unhealthy) = match health {
            Some(Health { interval_ms, timeout_ms, healthy, unhealthy, .. }) => {
                (seconds(*interval_ms), seconds(*timeout_ms), *healthy, *unhealthy)
            }
            None => (10, 5, 2, 2),
        };
        let interval = within(interval, 5, 300);
        Self {
            protocol: match http {
                Some(_) => ProtocolEnum::Http,
                None => Listening::behind(made),
            },
            port: port.filter(|port| *port != made.to),
            http,
            interval,
            timeout: within(timeout, 2, 120).min(interval - 1),
            healthy: within(healthy.into(), 2, 10),
            unhealthy: within(unhealthy.into(), 2, 10),
        }
    }

    pub(super) fn observed(group: &TargetGroup) -> Self {
        let port = group.health_check_port().and_then(|port| port.parse().ok());
        let protocol = group.health_check_protocol().cloned().unwrap_or(ProtocolEnum::Tcp);
        let status = group.matcher().and_then(|matcher| matcher.http_code());
        let is_http = matches!(protocol, ProtocolEnum::Http | ProtocolEnum::Https);
        Self {
            port: port.filter(|port: &u16| Some(i32::from(*port)) != group.port()),
            http: is_http.then(|| {
                let path = group.health_check_path().unwrap_or("/");
                (path.to_owned(), status.unwrap_or("200").to_owned())
            }),
            protocol,
            interval: group.health_check_interval_seconds().unwrap_or_default(),
            timeout: group.health_check_timeout_seconds().unwrap_or_default(),
            healthy: group.healthy_threshold_count().unwrap_or_default(),
            unhealthy: group.unhealthy_threshold_count().unwrap_or_default(),
        }
    }

    /// The port, as AWS takes it.
    pub(super) fn port(&self) -> String {
        self.port.map_or_else(|| "traffic-port".into(), |port| port.to_string())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, port, http, interval, timeout, healthy, unhealthy } = self;
        f.write_str(protocol.as_str())?;
        if let Some(port) = port {
            write!(f, " on port {port}")?;
        }
        if let Some((path, status)) = http {
            write!(f, " {path} answers {status}")?;
        }
        write!(
            f,
            " within {timeout} s, every {interval} s; in after {healthy}, out after {unhealthy}"
        )
    }
}

fn within(value: u64, least: i32, most: i32) -> i32 {
    i32::try_from(value).unwrap_or(most).clamp(least, most)
}
