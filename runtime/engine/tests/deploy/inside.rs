//! What a world in memory holds.

use crate::group::Group;
use crate::world::Fault;
use kiln_engine::driver::{Generation, ServerHealth, Traits};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Inside {
    pub front: BTreeMap<String, Traits>,
    /// What stands beside that, for a generation that is to take the traffic.
    pub beside: BTreeMap<String, BTreeSet<Traits>>,
    pub groups: BTreeMap<(String, u32), Group>,
    /// What a group is started from, made before it.
    pub templates: BTreeSet<(String, u32)>,
    pub calls: Vec<String>,
    pub fault: Option<(usize, Fault)>,
    /// Images whose servers never get healthy.
    pub sick: BTreeSet<String>,
    /// Images of which no more servers can be started.
    pub stuck: BTreeSet<String>,
    /// What is prepared beside is another load balancer: it shares no traffic with the one that is there.
    pub apart: bool,
    /// Images, and health checks that their servers do not answer.
    pub unfit: BTreeSet<(String, String)>,
    /// Of each deployment, how many servers must have traffic and be healthy at every moment.
    pub floor: BTreeMap<String, u32>,
    /// At this call, the first time, the first server of this group falls ill.
    pub falls_ill: Option<(String, (String, u32))>,
    pub broken: Vec<String>,
    pub lease_was_taken: bool,
    pub interrupt: Option<tokio::sync::watch::Sender<bool>>,
    pub servers: u32,
}

impl Inside {
    /// How many servers of a deployment are healthy and have traffic.
    pub fn serving(&self, name: &str) -> u32 {
        let of_it = self.groups.iter().filter(|((of, _), group)| of == name && !self.fails(group));
        let is_there = |group: &&Group| {
            let beside = self.beside.get(name);
            self.front.get(name) == Some(&group.behind)
                || beside.is_some_and(|beside| beside.contains(&group.behind))
        };
        of_it.map(|(_, group)| group).filter(is_there).map(Group::serving).sum()
    }

    /// As it is seen from outside: what is left beside it is a part of it.
    pub fn front_of(&self, name: &str) -> Traits {
        let mut front = self.front.get(name).cloned().unwrap_or_default();
        if let Some(beside) = self.beside.get(name) {
            front.insert("left_over".into(), format!("{}", beside.len()));
        }
        front
    }

    /// Whether its servers do not answer the check that they are asked with.
    pub fn fails(&self, group: &Group) -> bool {
        let check = group.behind.get("health").cloned().unwrap_or_default();
        group.attached && self.unfit.contains(&(group.image.clone(), check))
    }

    pub fn seen(&self, number: u32, group: &Group) -> Generation {
        let mut seen = group.seen(number);
        for server in seen.servers.iter_mut().filter(|_| self.fails(group)) {
            server.health = ServerHealth::Unhealthy("answered 404".into());
        }
        seen
    }

    pub fn serves(&self, name: &str) -> bool {
        self.groups.iter().any(|((of, _), group)| of == name && group.attached)
    }
}
