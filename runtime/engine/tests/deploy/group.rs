//! A group of servers in memory.

use kiln_engine::driver::{Capacity, Generation, Server, ServerHealth, Traits};

/// How many looks a server takes to start, and another to be known by the load balancer.
pub const STARTS: u32 = 2;

#[derive(Debug, Clone)]
pub struct Machine {
    pub id: u32,
    /// Looks since it was asked for.
    pub age: u32,
    /// Looks since it was attached.
    pub traffic: u32,
    pub ill: bool,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub image: String,
    pub launch: Traits,
    pub running: Traits,
    pub capacity: Capacity,
    pub declared: u32,
    pub attached: bool,
    /// What it stands behind, where it has traffic.
    pub behind: Traits,
    pub machines: Vec<Machine>,
    /// Made, and not visible for so many looks.
    pub hidden: u32,
}

impl Group {
    pub fn serving(&self) -> u32 {
        let serves = |machine: &&Machine| {
            self.attached && machine.age > STARTS && machine.traffic > 0 && !machine.ill
        };
        self.machines.iter().filter(serves).count() as u32
    }

    pub fn seen(&self, number: u32) -> Generation {
        let servers = self.machines.iter().map(|machine| Server {
            id: format!("i-{}", machine.id),
            address: Some(format!("10.0.0.{}", machine.id)),
            health: match (machine.ill, machine.age > STARTS) {
                (_, false) => ServerHealth::Starting,
                (true, true) => ServerHealth::Unhealthy("answered 502".into()),
                (false, true) if self.attached && machine.traffic == 0 => ServerHealth::Starting,
                (false, true) => ServerHealth::Healthy,
            },
        });
        Generation {
            number,
            id: format!("g{number}"),
            image: self.image.clone(),
            launch: self.launch.clone(),
            running: self.running.clone(),
            capacity: self.capacity,
            declared: Some(self.declared),
            attached: self.attached,
            servers: servers.collect(),
        }
    }
}
