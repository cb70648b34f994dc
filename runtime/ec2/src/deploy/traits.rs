use super::check::Check;
use super::listening::Listening;
use super::names::{declared_tags, hash, word};
use kiln::{DeploymentNode, LoadBalancer, NewLoadBalancer, Volume};
use kiln_engine::driver::{Declared, Traits};

#[cfg(test)]
pub(super) mod tests;

/// In place of subnets that nobody named.
pub(super) const DEFAULT_SUBNETS: &str = "those of the default VPC";

/// In place of security groups that nobody named.
pub(super) const OWN_SECURITY: &str = "its own";

/// What a deployment is to be like, in words that what runs is told in too.
pub(super) fn declared(deployment: &DeploymentNode, image: &str) -> Declared {
    Declared {
        launch: launch(deployment, image),
        running: running(&declared_tags(deployment)),
        front: front(deployment),
    }
}

/// What servers start with. What is left to AWS has no entry.
pub(super) fn launch(deployment: &DeploymentNode, image: &str) -> Traits {
    let kiln::TargetNode::Ec2(target) = &deployment.target;
    let yes_or_no = |yes: &bool| if *yes { "yes" } else { "no" }.to_owned();
    let traits = [
        ("image", Some(image.to_owned())),
        ("instance_type", Some(target.instance_type.clone())),
        ("subnets", Some(server_subnets(deployment))),
        ("security_groups", Some(list(&target.security_groups, OWN_SECURITY))),
        ("instance_profile", target.instance_profile.clone()),
        ("volume", Some(volume(target.volume.as_ref()))),
        ("user_data", target.user_data.as_deref().map(digest)),
        ("public_address", target.public_address.as_ref().map(yes_or_no)),
        ("metadata", Some("with a token only".to_owned())),
    ];
    let said = traits.into_iter().filter_map(|(name, value)| Some((name.to_owned(), fit(value?))));
    said.collect()
}

/// What can change while servers run.
pub(super) fn running<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Traits {
    tags.into_iter().map(|(name, value)| (format!("tag {name}"), value.clone())).collect()
}

/// What stands before the servers.
pub(super) fn front(deployment: &DeploymentNode) -> Traits {
    let mut front = Traits::new();
    let mut say = |name: &str, value: String| front.insert(name.to_owned(), fit(value));
    match &deployment.load_balancer {
        Some(LoadBalancer::Made(made)) => {
            say("load_balancer", balancer(word(made.kind), made.internal));
            say("listener", Listening::declared(made).to_string());
            say("forwards_to", format!("port {}", made.to));
            say("from", list(&made.from, "nobody"));
            say("balancer_subnets", subnets(balancer_subnets(deployment, made)));
            say("health_check", Check::declared(deployment, made).to_string());
            say("drain", drain(seconds(made.drain_ms)));
        }
        Some(LoadBalancer::TargetGroup { arn, .. }) => {
            say("target_group", arn.clone());
        }
        None => {}
    }
    let kiln::TargetNode::Ec2(target) = &deployment.target;
    if target.security_groups.is_empty() && !deployment.ports.is_empty() {
        say("ports", ports(deployment.ports.iter().copied()));
    }
    front
}

/// A load balancer forwards only to the zones in which it stands itself.
fn server_subnets(deployment: &DeploymentNode) -> String {
    let kiln::TargetNode::Ec2(target) = &deployment.target;
    match &deployment.load_balancer {
        Some(LoadBalancer::Made(made)) if target.subnets.is_empty() && !made.subnets.is_empty() => {
            format!("{DEFAULT_SUBNETS}, in the zones of {}", subnets(&made.subnets))
        }
        _ => subnets(&target.subnets),
    }
}

/// Those of the balancer, or else those of the servers.
pub(super) fn balancer_subnets<'a>(
    deployment: &'a DeploymentNode,
    made: &'a NewLoadBalancer,
) -> &'a [String] {
    let kiln::TargetNode::Ec2(target) = &deployment.target;
    if made.subnets.is_empty() { &target.subnets } else { &made.subnets }
}

pub(super) fn balancer(kind: &str, internal: bool) -> String {
    format!("{kind}, {}", if internal { "internal" } else { "on the internet" })
}

pub(super) fn subnets(named: &[String]) -> String {
    list(named, DEFAULT_SUBNETS)
}

pub(super) fn ports(ports: impl IntoIterator<Item = u16>) -> String {
    let ports: std::collections::BTreeSet<u16> = ports.into_iter().collect();
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn drain(seconds: u64) -> String {
    format!("{seconds} s")
}

/// Whole seconds, never fewer than declared.
pub(super) fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

pub(super) fn list(of: &[String], none: &str) -> String {
    if of.is_empty() {
        return none.to_owned();
    }
    let mut sorted = of.to_vec();
    sorted.sort();
    sorted.dedup();
    sorted.join(", ")
}

/// A value that a tag can hold, which is 256 characters: a longer one ends in a digest of it all.
pub(super) fn fit(value: String) -> String {
    if value.chars().count() <= 256 {
        return value;
    }
    let beginning: String = value.chars().take(200).collect();
    format!("{beginning}… {}", &hash(&[&value])[..12])
}

fn volume(volume: Option<&Volume>) -> String {
    let Some(Volume { size, kind, iops, throughput }) = volume else {
        return "as the image's".into();
    };
    let mut text = kind.clone();
    for (value, unit) in
        [(size, "GiB"), (iops, "operations a second"), (throughput, "MiB a second")]
    {
        if let Some(value) = value {
            text.push_str(&format!(", {value} {unit}"));
        }
    }
    text
}

/// A text that may hold secrets, or pages.
fn digest(text: &str) -> String {
    format!("{} bytes, {}", text.len(), &blake3::hash(text.as_bytes()).to_hex()[..12])
}
