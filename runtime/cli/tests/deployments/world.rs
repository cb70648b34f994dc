use async_trait::async_trait;
use kiln::{DeploymentNode, ImageNode, TargetNode};
use kiln_cli::{At, Driver};
use kiln_engine::driver::*;
use kiln_engine::key::Target;
use kiln_engine::{CacheKey, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// The variable that names the file.
pub const FILE: &str = "KILN_TEST_WORLD";
/// The variable that says that no image is baked.
pub const NOTHING_BAKED: &str = "KILN_TEST_NOTHING_BAKED";

/// What runs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct World {
    pub fronts: BTreeMap<String, Traits>,
    pub groups: Vec<Group>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    pub deployment: String,
    pub number: u32,
    pub launch: Traits,
    pub running: Traits,
    pub capacity: Capacity,
    pub declared: u32,
    pub attached: bool,
}

impl World {
    pub fn read(path: impl AsRef<Path>) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub fn write(&self, path: impl AsRef<Path>) {
        std::fs::write(path, serde_json::to_vec(self).unwrap()).unwrap();
    }
}

/// One process changes the file at a time, but several of its tasks may.
static CHANGE: Mutex<()> = Mutex::new(());

fn change<T>(how: impl FnOnce(&mut World) -> T) -> T {
    let _one = CHANGE.lock().unwrap();
    let path = std::env::var(FILE).unwrap();
    let mut world = World::read(&path);
    let done = how(&mut world);
    world.write(&path);
    done
}

fn of(world: &mut World, deployment: &str, number: u32, how: impl FnOnce(&mut Group)) {
    let mut groups = world.groups.iter_mut();
    if let Some(group) = groups.find(|g| g.deployment == deployment && g.number == number) {
        how(group);
    }
}

/// A driver whose servers are always healthy, and whose images are there.
pub struct Fake;

#[async_trait]
impl Driver for Fake {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn publishes(&self) -> bool {
        true
    }

    async fn target(&self, _image: &ImageNode) -> Result<Target, Vec<Error>> {
        self.place().await.map_err(|error| vec![error])
    }

    async fn index(&self, _at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error> {
        Ok(Box::new(Index))
    }

    async fn builder(&self, _at: &At<'_>) -> Result<Box<dyn Builder>, Error> {
        Err(Error::input("nothing is baked here"))
    }

    async fn collector(&self, at: &At<'_>) -> Result<Option<Box<dyn Collector>>, Error> {
        Ok(Some(Box::new(Garbage { place: at.target.place.clone().unwrap_or_default() })))
    }

    async fn site(&self, node: &DeploymentNode, _: &ImageNode) -> Result<Target, Vec<Error>> {
        let TargetNode::Ec2(target) = &node.target;
        let region = target.region.clone().unwrap_or_else(|| "eu-west-1".into());
        let architecture = kiln::rules::architecture(&target.instance_type).into();
        Ok(Target { builder: "ec2".into(), place: Some(region), architecture })
    }

    async fn place(&self) -> Result<Target, Error> {
        let place = Some("eu-west-1".into());
        Ok(Target { builder: "ec2".into(), place, architecture: "amd64".into() })
    }

    async fn deployer(&self, at: &At<'_>) -> Result<Option<Box<dyn Deployer>>, Error> {
        // All that runs is in one place.
        let here = at.target.place.as_deref() == Some("eu-west-1");
        Ok(Some(Box::new(Servers { here })))
    }

    async fn state(
        &self,
        address: &str,
        project: &str,
        lease_time: Duration,
    ) -> Result<Box<dyn State>, Error> {
        let path = Path::new(address).join(project);
        Ok(Box::new(kiln_state::Shared::in_folder(path, lease_time)))
    }
}

/// Tells of each place what is wanted there.
struct Garbage {
    place: String,
}

#[async_trait]
impl Collector for Garbage {
    async fn survey(&self, wanted: &Wanted) -> Result<Vec<Found>, Error> {
        let Wanted { keys, named, younger_than } = wanted;
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let (kind, name) = ("survey", named.join(" "));
        let fate =
            Fate::Keep(format!("{} keys, {} hours", keys.len(), younger_than.as_secs() / 3600));
        Ok(vec![Found { id: format!("all of {}", self.place), kind, name, fate }])
    }

    async fn remove(&self, _: &[Found], _: Output<'_>) -> Result<(), Vec<Error>> {
        Ok(())
    }
}

struct Index;

#[async_trait]
impl ArtifactIndex for Index {
    fn format(&self) -> &'static str {
        "lines 1"
    }

    fn gives_outputs(&self) -> bool {
        false
    }

    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error> {
        let is_there = std::env::var_os(NOTHING_BAKED).is_none();
        let artifact =
            |key: &CacheKey| Artifact { id: format!("ami-{}", key.0.short()), output: None };
        Ok(keys.iter().map(|key| is_there.then(|| artifact(key))).collect())
    }
}

struct Servers {
    here: bool,
}

fn traits<const N: usize>(pairs: [(&str, String); N]) -> Traits {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

#[async_trait]
impl Deployer for Servers {
    fn declared(&self, deployment: &DeploymentNode, image: &str) -> Declared {
        let TargetNode::Ec2(target) = &deployment.target;
        Declared {
            launch: traits([
                ("image", image.into()),
                ("instance_type", target.instance_type.clone()),
            ]),
            running: deployment.tags.clone(),
            front: traits([("ports", format!("{:?}", deployment.ports))]),
        }
    }

    async fn observe(&self) -> Result<Vec<Observed>, Error> {
        if !self.here {
            return Ok(Vec::new());
        }
        // What is being written is not read.
        let world =
            change(|world| World { fronts: world.fronts.clone(), groups: world.groups.clone() });
        let names = world.groups.iter().map(|group| &group.deployment).chain(world.fronts.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        let observed = names.into_iter().map(|name| {
            let groups = world.groups.iter().filter(|group| group.deployment == *name);
            Observed {
                deployment: name.clone(),
                front: world.fronts.get(name).cloned().unwrap_or_default(),
                generations: groups.map(generation).collect(),
                outputs: traits([("url", format!("http://{name}.example"))]),
            }
        });
        Ok(observed.collect())
    }

    async fn prepare(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let serves = change(|world| {
            let mut groups = world.groups.iter();
            groups.any(|group| group.deployment == deployment.name && group.attached)
        });
        if serves { Ok(()) } else { self.settle(deployment, generation, output).await }
    }

    async fn share(&self, _: &DeploymentNode, _: u32) -> Result<bool, Error> {
        Ok(true)
    }

    async fn settle(
        &self,
        deployment: &DeploymentNode,
        _: u32,
        _: Output<'_>,
    ) -> Result<(), Error> {
        let front = self.declared(deployment, "").front;
        change(|world| world.fronts.insert(deployment.name.clone(), front));
        Ok(())
    }

    async fn launch(&self, launch: &Launch<'_>, _: Output<'_>) -> Result<(), Error> {
        let Declared { launch: start, running, .. } =
            self.declared(launch.deployment, launch.image);
        let deployment = launch.deployment.name.clone();
        let (number, capacity, attached) = (launch.generation, launch.capacity, false);
        let declared = launch.deployment.replicas.desired;
        let group =
            Group { deployment, number, launch: start, running, capacity, declared, attached };
        change(|world| world.groups.push(group));
        Ok(())
    }

    async fn resize(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        capacity: Capacity,
    ) -> Result<(), Error> {
        let running = deployment.tags.clone();
        change(|world| {
            of(world, &deployment.name, generation, |group| {
                (group.capacity, group.running) = (capacity, running);
                group.declared = deployment.replicas.desired;
            });
        });
        Ok(())
    }

    async fn watch(
        &self,
        deployment: &DeploymentNode,
        number: u32,
        _within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error> {
        let observed = self.observe().await?;
        let mut all = observed.into_iter().filter(|found| found.deployment == deployment.name);
        let seen =
            all.find_map(|found| found.generations.into_iter().find(|one| one.number == number));
        Ok(if judge(seen.as_ref()) { Waited::Seen(seen) } else { Waited::OutOfTime(seen) })
    }

    async fn attach(&self, deployment: &DeploymentNode, generation: u32) -> Result<(), Error> {
        change(|world| of(world, &deployment.name, generation, |group| group.attached = true));
        Ok(())
    }

    async fn detach(
        &self,
        deployment: &DeploymentNode,
        generation: u32,
        _: Output<'_>,
    ) -> Result<(), Error> {
        change(|world| of(world, &deployment.name, generation, |group| group.attached = false));
        Ok(())
    }

    async fn remove(&self, deployment: &str, generation: u32, _: Output<'_>) -> Result<(), Error> {
        change(|world| {
            world.groups.retain(|g| g.deployment != deployment || g.number != generation);
        });
        Ok(())
    }

    async fn console(&self, _server: &str) -> Vec<String> {
        Vec::new()
    }

    async fn belongings(&self, deployment: &str) -> Result<Vec<Belonging>, Error> {
        let observed = self.observe().await?;
        let all = observed.into_iter().filter(|found| found.deployment == deployment);
        let groups = all.flat_map(|found| found.generations);
        Ok(groups.map(|group| Belonging { kind: "group", id: group.id }).collect())
    }

    async fn destroy(&self, deployment: &str, _: Output<'_>) -> Result<(), Vec<Error>> {
        change(|world| {
            world.groups.retain(|group| group.deployment != deployment);
            world.fronts.remove(deployment);
        });
        Ok(())
    }
}

fn generation(group: &Group) -> Generation {
    let Group { deployment, number, launch, running, capacity, declared, attached } = group.clone();
    let declared = Some(declared);
    let id = format!("{deployment}-g{number}");
    let server = |index| Server {
        id: format!("i-{deployment}-{number}-{index}"),
        address: Some(format!("10.0.{number}.{index}")),
        health: ServerHealth::Healthy,
    };
    let servers = (1..=capacity.desired).map(server).collect();
    let image = launch.get("image").cloned().unwrap_or_default();
    Generation { number, id, image, launch, running, capacity, declared, attached, servers }
}
