use kiln::{DeploymentNode, LoadBalancer, LoadBalancerKind};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after a target was taken out a network load balancer may still open connections to it, whatever its drain time.
/// AWS names no bound; people see two to three minutes.
const STILL_ASKED: Duration = Duration::from_secs(180);

/// Groups whose servers have lost their traffic and are still asked: they must not end yet.
#[derive(Debug, Default)]
pub(crate) struct Left(Mutex<BTreeMap<String, Instant>>);

impl Left {
    /// Notes that a group has lost its traffic now.
    pub(super) fn leaves(&self, group: &str, deployment: &DeploymentNode) {
        let Some(LoadBalancer::Made(made)) = &deployment.load_balancer else { return };
        if made.kind == LoadBalancerKind::Network {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(group.to_owned(), Instant::now() + STILL_ASKED);
        }
    }

    /// How long the servers of a group must stay yet.
    pub(super) fn stay(&self, group: &str) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = all.get(group).copied();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::traits::tests::balanced;

    #[test]
    fn servers_behind_a_network_load_balancer_outlive_what_it_still_opens() {
        let left = Left::default();
        left.leaves("one", &balanced(|_| ()));
        assert_eq!(left.stay("one"), Duration::ZERO, "behind an application load balancer");
        left.leaves("two", &balanced(|made| made.kind = LoadBalancerKind::Network));
        assert!(left.stay("two") > Duration::from_secs(170));
        assert_eq!(left.stay("three"), Duration::ZERO);
    }
}
