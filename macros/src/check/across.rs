//! What the keys of a deployment say against one another, as far as they are literals.

use super::word::Checked;
use crate::diag::Sink;
use crate::valid::{Certain, Fact};
use kiln_rules as rules;
use proc_macro2::Ident;
use syn::{ExprArray, LitInt, LitStr};

/// What is known of a deployment.
pub(super) struct Across<'a> {
    pub(super) target: Fact<&'a Checked>,
    /// `None`: they are computed.
    pub(super) ports: Option<Vec<u64>>,
    pub(super) health: Fact<&'a Checked>,
    pub(super) load_balancer: Fact<&'a Checked>,
}

impl Across<'_> {
    /// Where servers run, as far as it is known.
    pub(super) fn region(&self) -> Option<Certain> {
        let region: Fact = self.target.literal()?.fact("region");
        region.literal().filter(|region| rules::region(&region.value()).is_ok()).map(Certain::from)
    }

    /// What servers run on, as far as it is known.
    pub(super) fn instance_type(&self) -> Option<Certain> {
        let target = self.target.literal()?;
        match target.fact::<LitStr>("instance_type") {
            Fact::Literal(name) => {
                rules::instance_type(&name.value()).is_ok().then(|| Certain::from(&name))
            }
            Fact::Unsaid => {
                Some(Certain { at: target.token().span(), value: rules::SERVER_TYPE.into() })
            }
            Fact::Computed => None,
        }
    }

    pub(super) fn check(&self, sink: &mut Sink) {
        if let Some(health) = self.health.literal() {
            times(health, sink);
            self.port(health, "port", "the health check", sink);
        }
        if let Some(balancer) = self.load_balancer.literal() {
            // Unless told, it is the health check's.
            let follows = !matches!(self.health, Fact::Unsaid);
            if !(follows && matches!(balancer.fact::<LitInt>("to"), Fact::Unsaid)) {
                self.port(balancer, "to", "the load balancer", sink);
            }
            self.subnets(balancer, sink);
            self.arn(balancer, "certificate", rules::certificate, sink);
            self.arn(balancer, "arn", rules::target_group, sink);
        }
    }

    /// Whether a port is declared; and where none is said, whether there is one alone.
    fn port(&self, of: &Checked, key: &str, who: &str, sink: &mut Sink) {
        let Some(ports) = &self.ports else { return };
        // A target group that somebody else made has its own.
        if of.word.is_none_or(|word| word.keys.get(key).is_none()) {
            return;
        }
        match of.fact::<LitInt>(key) {
            Fact::Literal(port) => {
                let number = port.base10_parse().ok().filter(|number| rules::port(*number).is_ok());
                if let Some(number) = number {
                    sink.check(port, rules::declared(who, number, ports));
                }
            }
            Fact::Unsaid if ports.len() != 1 => {
                sink.error(of.token(), rules::no_port(who, ports.len()));
            }
            Fact::Unsaid | Fact::Computed => {}
        }
    }

    /// Whether an application load balancer has two subnets, its own or those of the servers.
    fn subnets(&self, balancer: &Checked, sink: &mut Sink) {
        if balancer.word.is_none_or(|word| word.name != "application") {
            return;
        }
        let count = |array: &ExprArray| rules::balancer_subnets(array.elems.len());
        match balancer.fact::<ExprArray>("subnets") {
            Fact::Literal(own) => drop(sink.check(&own, count(&own))),
            Fact::Unsaid => {
                let target = self.target.literal().map(|target| target.fact("subnets"));
                if let Some(Fact::Literal(of_servers)) = target {
                    let at: &Ident = balancer.token();
                    sink.check(at, count(&of_servers));
                }
            }
            Fact::Computed => {}
        }
    }

    /// Whether what an ARN names can be used where the servers run.
    fn arn(
        &self,
        balancer: &Checked,
        key: &str,
        rule: fn(&str) -> Result<(), rules::Fault>,
        sink: &mut Sink,
    ) {
        let arn: Fact = balancer.fact(key);
        let (Some(arn), Some(region)) = (arn.literal(), self.region()) else { return };
        let text = arn.value();
        // Of one that is malformed, enough has been said.
        if rule(&text).is_ok() {
            sink.check(arn, rules::in_region(&text, &region.value));
        }
    }
}

/// Whether a check is over before the next one begins.
fn times(health: &Checked, sink: &mut Sink) {
    let timeout: Fact = health.fact("timeout");
    let interval = match health.fact::<LitStr>("interval") {
        Fact::Literal(text) => rules::health_interval(&text.value()).ok(),
        Fact::Unsaid => Some(rules::DEFAULT_INTERVAL),
        Fact::Computed => None,
    };
    let (Some(at), Some(interval)) = (timeout.literal(), interval) else { return };
    if let Ok(timeout) = rules::health_timeout(&at.value()) {
        sink.check(at, rules::shorter(timeout, interval));
    }
}
