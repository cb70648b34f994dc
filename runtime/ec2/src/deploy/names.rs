use crate::aws::tags::{self, NAME, PROJECT, Tags};
use kiln::{DeploymentNode, LoadBalancerKind};

/// The deployment that something is of.
pub(super) const DEPLOYMENT: &str = "kiln:deployment";
/// The generation that something is of: `3`.
pub(super) const GENERATION: &str = "kiln:generation";
/// On a group whose servers nobody hands traffic to: it is the one that counts.
pub(super) const ATTACHED: &str = "kiln:attached";
/// Before the name of what servers of a group start with. A template's version never changes, so neither does this.
pub(super) const LAUNCH: &str = "kiln:launch:";
/// The version of the launch template that a group was made with.
pub(super) const VERSION: &str = "kiln:template-version";
/// On a group: how many servers were declared when it was made or resized last.
pub(super) const DESIRED: &str = "kiln:desired";
/// What a security group is for: [`SERVERS`], [`BALANCER`].
pub(super) const ROLE: &str = "kiln:role";
pub(super) const SERVERS: &str = "servers";
pub(super) const BALANCER: &str = "balancer";
/// Before the name of what was made of the front that only a call for each balancer would show.
pub(super) const FRONT: &str = "kiln:front:";

/// Names of what is made for one deployment. They follow from project and deployment alone, so that nothing is made
/// twice; those of two deployments are never the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) project: &'a str,
    pub(super) deployment: &'a str,
}

impl Names<'_> {
    /// Of a generation's Auto Scaling group: `kiln-shop-production-3fa2b1-g003`.
    pub(super) fn group(self, generation: u32) -> String {
        format!("{}-g{generation:03}", self.stem())
    }

    /// Of the launch template.
    pub(super) fn template(self) -> String {
        self.stem()
    }

    /// Of a security group with this role.
    pub(super) fn security(self, role: &str) -> String {
        format!("{}-{role}", self.stem())
    }

    /// What the names of its load balancers and target groups begin with. AWS takes 32 characters there.
    pub(super) fn short(self) -> String {
        let name = slug(self.deployment, 11);
        format!("kiln-{name}-{}-", self.hash())
    }

    /// Of a load balancer. What cannot be changed of one is in its name: another is made beside it.
    pub(super) fn balancer(self, kind: LoadBalancerKind, internal: bool, vpc: &str) -> String {
        let of = [word(kind), if internal { "internal" } else { "" }, vpc];
        format!("{}{}", self.short(), &hash(&of)[..4])
    }

    /// Of the target group that a balancer forwards to, likewise: to a port, and asked with this check; of one generation
    /// or of all.
    pub(super) fn target_group(
        self,
        balancer: &str,
        to: u16,
        check: &str,
        generation: Option<u32>,
    ) -> String {
        let generation = generation.map_or_else(String::new, |number| number.to_string());
        let of = [balancer, &to.to_string(), check, &generation];
        format!("{}{}", self.short(), &hash(&of)[..8])
    }

    /// The tags of everything that is made for it, with those that are declared.
    pub(super) fn tags(self, deployment: &DeploymentNode) -> Tags {
        let mut all = declared_tags(deployment);
        all.extend(self.own_tags());
        all
    }

    /// Those by which it is found again.
    pub(super) fn own_tags(self) -> Tags {
        [(PROJECT, self.project.to_owned()), (DEPLOYMENT, tags::value(self.deployment))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn stem(self) -> String {
        let (project, deployment) = (slug(self.project, 40), slug(self.deployment, 60));
        format!("kiln-{project}-{deployment}-{}", self.hash())
    }

    fn hash(self) -> String {
        hash(&[self.project, self.deployment])[..6].to_owned()
    }
}

/// The tags that a deployment declares; its name, where it declares none.
pub(super) fn declared_tags(deployment: &DeploymentNode) -> Tags {
    let mut all: Tags = deployment.tags.clone();
    all.entry(NAME.into()).or_insert_with(|| deployment.name.clone());
    all
}

/// Whether a tag is one that people gave: neither Kiln's nor AWS's own.
pub(super) fn is_declared(name: &str) -> bool {
    !name.starts_with("kiln:") && !name.starts_with("aws:")
}

/// What AWS calls a kind of load balancer.
pub(super) fn word(kind: LoadBalancerKind) -> &'static str {
    match kind {
        LoadBalancerKind::Application => "application",
        LoadBalancerKind::Network => "network",
    }
}

/// Digits that tell lists of texts apart, as hex.
pub(super) fn hash(of: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in of {
        // Else `a` with `bc` would be `ab` with `c`.
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// A text of letters, digits and single hyphens within, as every name takes it.
fn slug(text: &str, most: usize) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        match letter {
            _ if letter.is_ascii_alphanumeric() => slug.push(letter.to_ascii_lowercase()),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
        if slug.len() == most {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(project: &'a str, deployment: &'a str) -> Names<'a> {
        Names { project, deployment }
    }

    #[test]
    fn names_say_project_deployment_and_generation() {
        let name = of("shop", "production_eu").group(3);
        assert!(name.starts_with("kiln-shop-production-eu-"), "{name}");
        assert!(name.ends_with("-g003"), "{name}");
        assert_ne!(of("shop", "web").group(3), of("shop", "web").group(4));
        assert!(of("shop", "web").group(1234).ends_with("-g1234"));
    }

    #[test]
    fn no_two_deployments_have_one_name() {
        let pairs =
            [("a-b", "c"), ("a", "b-c"), ("a", "b_c"), ("a/b", "c"), ("A", "b-c"), ("ab", "c")];
        let names: std::collections::BTreeSet<String> =
            pairs.iter().map(|(project, deployment)| of(project, deployment).template()).collect();
        assert_eq!(names.len(), pairs.len());
        let short: std::collections::BTreeSet<String> =
            pairs.iter().map(|(project, deployment)| of(project, deployment).short()).collect();
        assert_eq!(short.len(), pairs.len());
    }

    #[test]
    fn long_names_are_cut_to_what_aws_takes_and_stay_apart() {
        let (one, other) = ("x".repeat(200), format!("{}y", "x".repeat(199)));
        let (one, other) = (of("p", &one), of("p", &other));
        assert_ne!(one.group(1), other.group(1));
        assert!(one.template().len() <= 128);
        let balancer = one.balancer(LoadBalancerKind::Network, true, "vpc-1");
        assert!(balancer.len() <= 32, "{balancer}");
        assert!(one.target_group(&balancer, 65535, "HTTP /", Some(1)).len() <= 32);
        assert!(balancer.starts_with(&one.short()) && !balancer.starts_with(&other.short()));
    }

    #[test]
    fn names_hold_letters_digits_and_hyphens_only() {
        let odd = of("über/straße !", "_a__b_");
        for name in [odd.group(1), odd.template(), odd.security(SERVERS), odd.short()] {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
            assert!(!name.contains("--"), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_changed_of_a_balancer_gives_it_another_name() {
        let names = of("p", "web");
        let name = names.balancer(LoadBalancerKind::Application, false, "vpc-1");
        assert_eq!(name, names.balancer(LoadBalancerKind::Application, false, "vpc-1"));
        assert_ne!(name, names.balancer(LoadBalancerKind::Network, false, "vpc-1"));
        assert_ne!(name, names.balancer(LoadBalancerKind::Application, true, "vpc-1"));
        assert_ne!(name, names.balancer(LoadBalancerKind::Application, false, "vpc-2"));
        let target_group = names.target_group(&name, 80, "TCP", None);
        assert_eq!(target_group, names.target_group(&name, 80, "TCP", None));
        assert_ne!(target_group, names.target_group(&name, 80, "TCP", Some(1)));
        assert_ne!(target_group, names.target_group(&name, 8080, "TCP", None));
        assert_ne!(target_group, names.target_group(&name, 80, "HTTP /", None));
    }
}
