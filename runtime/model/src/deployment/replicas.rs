use super::Replicas;
use crate::{Origin, Problems};
use kiln_rules as rules;

/// How many servers a deployment has, as a recipe says it: a number, or bounds.
///
/// ```
/// # use kiln::prelude::*;
/// let replicas = ReplicaBounds::new().min(2).desired(3).max(6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicaBounds {
    min: Option<u32>,
    desired: Option<u32>,
    max: Option<u32>,
}

impl ReplicaBounds {
    /// Bounds of which nothing is said: one server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At least so many. Unless told as many as at first.
    #[must_use]
    pub fn min(mut self, servers: u32) -> Self {
        self.min = Some(servers);
        self
    }

    /// So many at first, and again when another number is declared; else what moves it between the bounds, such as an
    /// autoscaler, has its way. Unless told as many as there must be at least.
    #[must_use]
    pub fn desired(mut self, servers: u32) -> Self {
        self.desired = Some(servers);
        self
    }

    /// At most so many. Unless told as many as at first.
    #[must_use]
    pub fn max(mut self, servers: u32) -> Self {
        self.max = Some(servers);
        self
    }

    pub(super) fn into_node(self, origin: &Origin, problems: &mut Problems) -> Replicas {
        let Self { min, desired, max } = self;
        let [least, first, most] = [min, desired, max].map(|count| count.map(u64::from));
        problems.check(origin, rules::replicas(least, first, most));
        // Of a lone `max` the least is 1, or none where `max` is 0.
        let first = desired.or(min).unwrap_or_else(|| max.map_or(1, |max| max.min(1)));
        Replicas { min: min.unwrap_or(first), desired: first, max: max.unwrap_or(first) }
    }
}

impl From<u32> for ReplicaBounds {
    fn from(servers: u32) -> Self {
        Self::new().min(servers).desired(servers).max(servers)
    }
}

impl From<Replicas> for ReplicaBounds {
    fn from(Replicas { min, desired, max }: Replicas) -> Self {
        Self::new().min(min).desired(desired).max(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(bounds: impl Into<ReplicaBounds>) -> (u32, u32, u32) {
        let mut problems = Problems::default();
        let node = bounds.into().into_node(&Origin::caller(), &mut problems);
        assert_eq!(problems.into_vec(), []);
        (node.min, node.desired, node.max)
    }

    #[test]
    fn what_is_unsaid_follows_from_what_is_said() {
        let new = ReplicaBounds::new;
        assert_eq!(node(3), (3, 3, 3));
        assert_eq!(node(new()), (1, 1, 1));
        assert_eq!(node(new().min(2).desired(3).max(6)), (2, 3, 6));
        assert_eq!(node(new().max(6).min(2)), (2, 2, 6));
        assert_eq!(node(new().desired(3)), (3, 3, 3));
        assert_eq!(node(new().max(6)), (1, 1, 6));
        assert_eq!(node(new().max(0)), (0, 0, 0));
        assert_eq!(node(Replicas { min: 0, desired: 1, max: 2 }), (0, 1, 2));
    }
}
