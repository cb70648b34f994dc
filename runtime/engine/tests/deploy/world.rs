//! A world in memory: servers that start, get traffic, fall ill and leave, one moment a look; and a fault at any call.

use crate::group::{Group, Machine, STARTS};
use crate::inside::Inside;
use async_trait::async_trait;
use kiln::{DeploymentNode, HealthCheck, TargetNode};
use kiln_engine::Error;
use kiln_engine::driver::{
    Belonging, Capacity, Declared, Deployer, Judge, Launch, Observed, Output, Traits, Waited,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What happens at a call, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before anything has happened.
    DiesBefore,
    /// The process dies before it hears that it has happened.
    DiesAfter,
    /// It is refused.
    Refused,
    /// Somebody else takes the lease.
    LeaseIsTaken,
    /// The user asks to stop.
    Interrupted,
}

#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inside>>);

impl World {
    pub fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    /// What runs.
    pub fn seen(&self) -> Vec<Observed> {
        let inside = self.lock();
        let mut names: BTreeSet<&String> = inside.groups.keys().map(|(name, _)| name).collect();
        names.extend(inside.front.keys());
        let of = |name: &&String| {
            let groups = inside.groups.iter().filter(|((of, _), _)| of == *name);
            let visible = groups.filter(|(_, group)| group.hidden == 0);
            Observed {
                deployment: (*name).clone(),
                front: inside.front_of(name),
                generations: visible.map(|((_, n), group)| inside.seen(*n, group)).collect(),
                outputs: BTreeMap::new(),
            }
        };
        names.iter().map(of).collect()
    }

    /// One moment passes: servers start, are replaced, and get to know the traffic.
    pub fn tick(&self) {
        let mut inside = self.lock();
        let Inside { groups, servers, sick, stuck, .. } = &mut *inside;
        for group in groups.values_mut() {
            group.hidden = group.hidden.saturating_sub(1);
            for machine in &mut group.machines {
                machine.age += 1;
                machine.traffic += u32::from(group.attached && machine.age > STARTS);
            }
            while group.machines.len() < group.capacity.desired as usize
                && !stuck.contains(&group.image)
            {
                *servers += 1;
                let ill = sick.contains(&group.image);
                group.machines.push(Machine { id: *servers, age: 0, traffic: 0, ill });
            }
        }
    }

    /// Notes a call, and lets happen what is to happen at it. Whether it dies after it.
    pub async fn call(&self, what: String) -> Result<bool, Error> {
        let fault = {
            let mut inside = self.lock();
            let Inside { falls_ill, groups, .. } = &mut *inside;
            if let Some((_, group)) = falls_ill.take_if(|(at, _)| *at == what) {
                groups.get_mut(&group).unwrap().machines[0].ill = true;
            }
            inside.calls.push(what);
            let number = inside.calls.len();
            let fault = inside.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
            match fault {
                Some(Fault::LeaseIsTaken) => inside.lease_was_taken = true,
                Some(Fault::Interrupted) => {
                    inside.interrupt.as_ref().unwrap().send(true).unwrap();
                }
                _ => {}
            }
            fault
        };
        match fault {
            Some(Fault::DiesBefore) => {
                std::future::pending::<()>().await;
                Ok(true)
            }
            Some(Fault::Refused) => Err(Error::environment("refused")),
            Some(Fault::DiesAfter) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Ends a call: looks whether there is enough with traffic, and dies if it is to.
    pub async fn called(&self, dies: bool) {
        {
            let mut inside = self.lock();
            let floors = inside.floor.clone();
            for (name, floor) in floors {
                let serving = inside.serving(&name);
                if serving < floor {
                    let calls = inside.calls.join("\n  ");
                    inside.broken.push(format!("{serving} of {floor} serve after\n  {calls}"));
                }
            }
        }
        if dies {
            std::future::pending::<()>().await;
        }
    }

    /// The numbers of a deployment's groups, those with traffic first.
    pub fn numbers(&self, name: &str) -> (Vec<u32>, Vec<u32>) {
        let inside = self.lock();
        let groups = inside.groups.iter().filter(|((of, _), _)| of == name);
        let (attached, idle): (Vec<_>, Vec<_>) = groups.partition(|(_, group)| group.attached);
        let number = |((_, number), _): &(&(String, u32), &Group)| *number;
        (attached.iter().map(number).collect(), idle.iter().map(number).collect())
    }

    fn cannot_start(&self, group: &(String, u32)) -> bool {
        let inside = self.lock();
        let is_short = |group: &&Group| group.machines.len() < group.capacity.desired as usize;
        let group = inside.groups.get(group).filter(is_short);
        group.is_some_and(|group| inside.stuck.contains(&group.image))
    }

    /// How many servers of a deployment are healthy and have traffic.
    pub fn serving(&self, name: &str) -> u32 {
        self.lock().serving(name)
    }

    pub fn calls(&self, name: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.starts_with(name)).count()
    }
}

fn key(deployment: &DeploymentNode, generation: u32) -> (String, u32) {
    (deployment.name.clone(), generation)
}

#[async_trait]
impl Deployer for World {
    fn declared(&self, deployment: &DeploymentNode, image: &str) -> Declared {
        let TargetNode::Ec2(target) = &deployment.target;
        let mut launch = Traits::from([
            ("image".to_owned(), image.to_owned()),
            ("instance_type".to_owned(), target.instance_type.clone()),
        ]);
        if let Some(data) = &target.user_data {
            launch.insert("user_data".into(), data.clone());
        }
        let tags = deployment.tags.iter();
        let running = tags.map(|(name, value)| (format!("tag {name}"), value.clone())).collect();
        let mut front = Traits::from([("ports".to_owned(), format!("{:?}", deployment.ports))]);
        if let Some(health) = &deployment.health {
            let check = match &health.check {
                HealthCheck::Http { port, path, .. } => format!("http {port} {path}"),
                HealthCheck::Tcp { port } => format!("tcp {port}"),
            };
            front.insert("health".into(), check);
        }
        Declared { launch, running, front }
    }

    async fn observe(&self) -> Result<Vec<Observed>, Error> {
        let dies = self.call("observe".into()).await?;
        let seen = self.seen();
        self.called(dies).await;
        Ok(seen)
    }

    async fn prepare(
        &self,
        deployment: &DeploymentNode,
        _: u32,
        _: Output<'_>,
    ) -> Result<(), Error> {
        let dies = self.call("prepare".into()).await?;
        let (name, front) = (&deployment.name, self.declared(deployment, "").front);
        {
            let mut inside = self.lock();
            if !inside.serves(name) {
                inside.beside.remove(name);
                inside.front.insert(name.clone(), front);
            } else if inside.front.get(name) != Some(&front) {
                inside.beside.entry(name.clone()).or_default().insert(front);
            }
        }
        self.called(dies).await;
        Ok(())
    }

    async fn share(&self, _: &DeploymentNode, _: u32) -> Result<bool, Error> {
        let dies = self.call("share".into()).await?;
        self.called(dies).await;
        Ok(!self.lock().apart)
    }

    async fn settle(
        &self,
        deployment: &DeploymentNode,
        _: u32,
        _: Output<'_>,
    ) -> Result<(), Error> {
        let dies = self.call("settle".into()).await?;
        let (name, front) = (&deployment.name, self.declared(deployment, "").front);
        {
            let mut inside = self.lock();
            let check = front.get("health").cloned().unwrap_or_default();
            let Inside { groups, unfit, .. } = &mut *inside;
            let of_it = groups.iter_mut().filter(|((of, _), group)| of == name && group.attached);
            let mut moving: Vec<&mut Group> =
                of_it.map(|(_, group)| group).filter(|group| group.behind != front).collect();
            if moving.iter().any(|group| unfit.contains(&(group.image.clone(), check.clone()))) {
                return Err(Error::input("the servers do not answer there"));
            }
            moving.iter_mut().for_each(|group| group.behind = front.clone());
            inside.beside.remove(name);
            inside.front.insert(name.clone(), front);
        }
        self.called(dies).await;
        Ok(())
    }

    async fn launch(&self, launch: &Launch<'_>, output: Output<'_>) -> Result<(), Error> {
        let key = key(launch.deployment, launch.generation);
        let dies = self.call(format!("template {}", launch.generation)).await?;
        self.lock().templates.insert(key.clone());
        self.called(dies).await;
        output("template made");
        let dies = self.call(format!("launch {}", launch.generation)).await?;
        let Declared { launch: traits, running, .. } =
            self.declared(launch.deployment, launch.image);
        let group = Group {
            image: launch.image.to_owned(),
            launch: traits,
            running,
            capacity: launch.capacity,
            declared: launch.deployment.replicas.desired,
            attached: false,
            behind: Traits::new(),
            machines: Vec::new(),
            hidden: 1,
        };
        self.lock().groups.entry(key).or_insert(group);
        self.called(dies).await;
        Ok(())
    }

    async fn resize(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        capacity: Capacity,
    ) -> Result<(), Error> {
        let dies = self.call(format!("resize {generation} to {}", capacity.desired)).await?;
        let running = self.declared(deployment, "").running;
        if let Some(group) = self.lock().groups.get_mut(&key(deployment, generation)) {
            (group.capacity, group.running) = (capacity, running);
            group.declared = deployment.replicas.desired;
            // The healthy ones go first: the worst that can happen.
            group.machines.sort_by_key(|machine| (!machine.ill, machine.age));
            group.machines.truncate(capacity.desired as usize);
        }
        self.called(dies).await;
        Ok(())
    }

    async fn watch(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error> {
        let mut left = within.as_secs().min(30);
        loop {
            let dies = self.call(format!("look {generation}")).await?;
            self.called(dies).await;
            let seen = {
                let inside = self.lock();
                let group = inside.groups.get(&key(deployment, generation));
                group.filter(|group| group.hidden == 0).map(|group| inside.seen(generation, group))
            };
            if judge(seen.as_ref()) {
                return Ok(Waited::Seen(seen));
            }
            if self.cannot_start(&key(deployment, generation)) {
                return Err(Error::environment("no more servers can be started"));
            }
            if left == 0 {
                return Ok(Waited::OutOfTime(seen));
            }
            left -= 1;
            self.tick();
            // Whoever waits beside this one has its turn.
            tokio::task::yield_now().await;
        }
    }

    async fn attach(&self, deployment: &DeploymentNode, generation: u32) -> Result<(), Error> {
        let dies = self.call(format!("attach {generation}")).await?;
        let front = self.declared(deployment, "").front;
        if let Some(group) = self.lock().groups.get_mut(&key(deployment, generation)) {
            (group.attached, group.behind) = (true, front);
        }
        self.called(dies).await;
        Ok(())
    }

    async fn detach(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        _: Output<'_>,
    ) -> Result<(), Error> {
        let dies = self.call(format!("detach {generation}")).await?;
        if let Some(group) = self.lock().groups.get_mut(&key(deployment, generation)) {
            group.attached = false;
            group.machines.iter_mut().for_each(|machine| machine.traffic = 0);
        }
        self.called(dies).await;
        Ok(())
    }

    async fn remove(&self, deployment: &str, generation: u32, _: Output<'_>) -> Result<(), Error> {
        let key = (deployment.to_owned(), generation);
        let dies = self.call(format!("remove template {generation}")).await?;
        self.lock().templates.remove(&key);
        self.called(dies).await;
        let dies = self.call(format!("remove {generation}")).await?;
        self.lock().groups.remove(&key);
        self.called(dies).await;
        Ok(())
    }

    async fn console(&self, server: &str) -> Vec<String> {
        vec![format!("{server} login:"), "nginx: no such file".into()]
    }

    async fn belongings(&self, deployment: &str) -> Result<Vec<Belonging>, Error> {
        let inside = self.lock();
        let groups = inside.groups.keys().filter(|(name, _)| name == deployment);
        Ok(groups.map(|(_, n)| Belonging { kind: "group", id: format!("g{n}") }).collect())
    }

    async fn destroy(&self, deployment: &str, _: Output<'_>) -> Result<(), Vec<Error>> {
        let dies = self.call("destroy".into()).await.map_err(|error| vec![error])?;
        {
            let mut inside = self.lock();
            inside.groups.retain(|(name, _), _| name != deployment);
            inside.templates.retain(|(name, _)| name != deployment);
            inside.front.remove(deployment);
            inside.beside.remove(deployment);
        }
        self.called(dies).await;
        Ok(())
    }
}
