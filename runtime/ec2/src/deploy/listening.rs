use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use kiln::{LoadBalancerKind, NewLoadBalancer};
use std::fmt;

/// Where a load balancer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) protocol: ProtocolEnum,
    pub(super) port: u16,
    pub(super) certificate: Option<String>,
}

impl Listening {
    pub(super) fn declared(made: &NewLoadBalancer) -> Self {
        let protocol = match (made.kind, &made.certificate) {
            (LoadBalancerKind::Application, None) => ProtocolEnum::Http,
            (LoadBalancerKind::Application, Some(_)) => ProtocolEnum::Https,
            (LoadBalancerKind::Network, None) => ProtocolEnum::Tcp,
            (LoadBalancerKind::Network, Some(_)) => ProtocolEnum::Tls,
        };
        Self { protocol, port: made.listen, certificate: made.certificate.clone() }
    }

    /// The protocol between the balancer and the servers: in the clear.
    pub(super) fn behind(made: &NewLoadBalancer) -> ProtocolEnum {
        match made.kind {
            LoadBalancerKind::Application => ProtocolEnum::Http,
            LoadBalancerKind::Network => ProtocolEnum::Tcp,
        }
    }

    /// Where somebody reaches it.
    pub(super) fn url(protocol: &str, port: &str, host: &str) -> String {
        match (protocol, port) {
            ("HTTP", "80") => format!("http://{host}"),
            ("HTTPS", "443") => format!("https://{host}"),
            ("HTTP", port) => format!("http://{host}:{port}"),
            ("HTTPS", port) => format!("https://{host}:{port}"),
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol.as_str(), self.port)?;
        match &self.certificate {
            Some(certificate) => write!(f, ", {certificate}"),
            None => Ok(()),
        }
    }
}
