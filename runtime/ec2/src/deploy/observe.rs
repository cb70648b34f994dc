use super::check::Check;
use super::health::{Evidence, server};
use super::listening::Listening;
use super::names::{
    ATTACHED, BALANCER, DESIRED, FRONT, GENERATION, LAUNCH, Names, SERVERS, VERSION, is_declared,
};
use super::security;
use super::traits;
use super::world::{World, group_tags};
use crate::aws::tags::{self, Tags};
use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_ec2::types::{Instance, InstanceStateName, SecurityGroup};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerSchemeEnum, TargetGroup};
use kiln_engine::driver::{Capacity, Generation, Observed, Server, Traits};
use std::collections::BTreeMap;

/// What runs of each deployment.
pub(super) fn observed(world: &World, project: &str) -> Vec<Observed> {
    let of = |deployment: String| {
        let names = Names { project, deployment: &deployment };
        let mut generations: Vec<Generation> =
            world.groups_of(&deployment).filter_map(|group| of_group(world, group)).collect();
        generations.sort_by_key(|generation| generation.number);
        let (front, mut outputs) = front(world, names);
        outputs.extend(addresses(&generations, &front));
        Observed { front, generations, outputs, deployment }
    };
    world.deployments().into_iter().map(of).collect()
}

/// The number of a generation; `None`: a group of something else.
pub(super) fn number(group: &AutoScalingGroup) -> Option<u32> {
    group_tags(group).get(GENERATION)?.parse().ok()
}

/// A generation as its group shows it, with its servers as somebody has judged them.
pub(super) fn generation<'a>(
    group: &AutoScalingGroup,
    instances: impl IntoIterator<Item = &'a Instance>,
    servers: Vec<Server>,
) -> Option<Generation> {
    let tags = group_tags(group);
    let mut launch: Traits = tags
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(LAUNCH)?.to_owned(), value.clone())))
        .collect();
    let version = group.launch_template().and_then(|template| template.version());
    let made_with = tags.get(VERSION).map(String::as_str);
    if version != made_with {
        // Somebody has given it another one: what its next servers start with is not what the tags say.
        let version = version.unwrap_or("none");
        launch.insert("template_version".into(), format!("{version}, by hand"));
    }
    let size = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    Some(Generation {
        number: tags.get(GENERATION)?.parse().ok()?,
        id: group.auto_scaling_group_name()?.to_owned(),
        image: launch.get("image").cloned().unwrap_or_default(),
        launch,
        running: running(&tags, instances),
        capacity: Capacity {
            min: size(group.min_size()),
            desired: size(group.desired_capacity()),
            max: size(group.max_size()),
        },
        declared: tags.get(DESIRED).and_then(|servers| servers.parse().ok()),
        attached: !group.target_group_arns().is_empty() || tags.contains_key(ATTACHED),
        servers,
    })
}

fn of_group(world: &World, group: &AutoScalingGroup) -> Option<Generation> {
    let targets = group.target_group_arns().iter().filter_map(|arn| world.targets.get(arn));
    let targets: Vec<_> = targets.collect();
    let servers = group.instances().iter().map(|member| {
        server(&Evidence {
            member,
            instance: member.instance_id().and_then(|id| world.instances.get(id)),
            checks: None,
            targets: targets.clone(),
            told: None,
            is_told_later: false,
        })
    });
    let members = group.instances().iter().filter_map(|member| member.instance_id());
    let instances = members.filter_map(|id| world.instances.get(id));
    generation(group, instances, servers.collect())
}

/// What people have given a group, and what a server of it bears otherwise.
fn running<'a>(group: &Tags, instances: impl IntoIterator<Item = &'a Instance>) -> Traits {
    let mut all: Tags = group
        .iter()
        .filter(|(name, _)| is_declared(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let of_group = all.clone();
    let runs = |instance: &&Instance| {
        let state = instance.state().and_then(|state| state.name());
        state == Some(&InstanceStateName::Running)
    };
    for instance in instances.into_iter().filter(runs) {
        let (has, id) = (tags::read(instance.tags()), instance.instance_id().unwrap_or_default());
        for (name, value) in &of_group {
            let own = has.get(name);
            if own != Some(value) {
                let own = own.map_or("none", String::as_str);
                all.insert(name.clone(), format!("{value}, but {own} on {id}"));
            }
        }
    }
    traits::running(&all)
}

/// What stands before the servers, in the words of `traits::front`, and where it is.
fn front(world: &World, names: Names<'_>) -> (Traits, BTreeMap<String, String>) {
    let (mut front, mut outputs) = (Traits::new(), BTreeMap::new());
    let id = |group: &SecurityGroup| group.group_id().unwrap_or_default().to_owned();
    let target_group = current(world, names);
    let network = target_group.and_then(|one| one.vpc_id()).or_else(|| {
        let mut serving = world.serving(names.deployment);
        serving.find_map(|group| world.network_of(group))
    });
    if let Some(group) = world.security(names.deployment, SERVERS, network) {
        let ports = security::read(group).into_iter().map(|(port, _)| port);
        let ports = traits::ports(ports);
        if !ports.is_empty() {
            front.insert("ports".into(), ports);
        }
        outputs.insert("security_group".into(), id(group));
    }
    let balancer = target_group.and_then(|one| balancer_of(world, names, one));
    let left = left_over(world, names, balancer, target_group, network);
    if !left.is_empty() {
        front.insert("left_over".into(), traits::fit(left.join(", ")));
    }
    let Some(target_group) = target_group else {
        let named = world.groups_of(names.deployment).flat_map(|group| group.target_group_arns());
        if let Some(arn) = named.last() {
            front.insert("target_group".into(), arn.clone());
            outputs.insert("target_group".into(), arn.clone());
        }
        return (front, outputs);
    };
    let arn = target_group.target_group_arn().unwrap_or_default();
    outputs.insert("target_group".into(), arn.to_owned());
    let port = target_group.port().unwrap_or_default();
    front.insert("forwards_to".into(), format!("port {port}"));
    front.insert("health_check".into(), Check::observed(target_group).to_string());
    let Some(security) = world.security(names.deployment, BALANCER, network) else {
        return (front, outputs);
    };
    let marks = tags::read(security.tags());
    let from: Vec<String> = security::read(security).into_iter().map(|(_, from)| from).collect();
    front.insert("from".into(), traits::fit(traits::list(&from, "nobody")));
    let Some(balancer) = balancer else { return (front, outputs) };
    let is_internal = balancer.scheme() == Some(&LoadBalancerSchemeEnum::Internal);
    let kind = balancer.r#type().map_or("", |kind| kind.as_str());
    front.insert("load_balancer".into(), traits::balancer(kind, is_internal));
    marked(&marks, &mut front);
    // Without a listener nothing belongs to a target group.
    if target_group.load_balancer_arns().is_empty() {
        front.remove("listener");
    }
    let dns_name = balancer.dns_name().unwrap_or_default();
    let listener = marks.get(&format!("{FRONT}listener")).map_or("", String::as_str);
    let mut words = listener.split([' ', ',']);
    let (protocol, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !port.is_empty() {
        outputs.insert("url".into(), Listening::url(protocol, port, dns_name));
    }
    outputs.insert("dns_name".into(), dns_name.to_owned());
    outputs.insert(
        "load_balancer".into(),
        balancer.load_balancer_arn().unwrap_or_default().to_owned(),
    );
    (front, outputs)
}

/// What was written down when the front was made.
fn marked(marks: &Tags, front: &mut Traits) {
    for (name, value) in marks {
        if let Some(name) = name.strip_prefix(FRONT) {
            front.insert(name.to_owned(), value.clone());
        }
    }
}

/// The deployment's own target group that counts: where servers have traffic, or else one that a balancer forwards to.
fn current<'a>(world: &'a World, names: Names<'_>) -> Option<&'a TargetGroup> {
    let all: Vec<&TargetGroup> = world.target_groups_of(names).collect();
    let is_used = |one: &&&TargetGroup| !one.load_balancer_arns().is_empty();
    let serves = |one: &&&TargetGroup| {
        let arn = one.target_group_arn();
        arn.is_some_and(|arn| world.has_servers(names.deployment, arn))
    };
    let mut found = all.iter().find(|one| serves(one) && is_used(one));
    found = found.or_else(|| all.iter().find(serves)).or_else(|| all.iter().find(is_used));
    found.or(all.first()).copied()
}

/// The deployment's own load balancer that forwards to a target group; where none does, one that could.
fn balancer_of<'a>(
    world: &'a World,
    names: Names<'_>,
    target_group: &TargetGroup,
) -> Option<&'a LoadBalancer> {
    let all: Vec<&LoadBalancer> = world.balancers_of(names).collect();
    let forwards = |one: &&&LoadBalancer| {
        let mut of_it = target_group.load_balancer_arns().iter();
        of_it.any(|arn| Some(arn.as_str()) == one.load_balancer_arn())
    };
    let could = |one: &&&LoadBalancer| one.vpc_id() == target_group.vpc_id();
    all.iter().find(forwards).or_else(|| all.iter().find(could)).copied()
}

/// What is there beside that: of a change that has not ended.
fn left_over(
    world: &World,
    names: Names<'_>,
    balancer: Option<&LoadBalancer>,
    target_group: Option<&TargetGroup>,
    network: Option<&str>,
) -> Vec<String> {
    let (balancer, target_group) = (
        balancer.and_then(LoadBalancer::load_balancer_name),
        target_group.and_then(TargetGroup::target_group_name),
    );
    let balancers = world.balancers_of(names).filter_map(LoadBalancer::load_balancer_name);
    let balancers = balancers.filter(|name| Some(*name) != balancer);
    let groups = world.target_groups_of(names).filter_map(TargetGroup::target_group_name);
    let groups = groups.filter(|name| Some(*name) != target_group);
    let securities = world.securities_of(names.deployment, BALANCER);
    let securities = securities.filter(|one| target_group.is_none() || one.vpc_id() != network);
    let securities = securities.filter_map(SecurityGroup::group_id);
    let said = |what: &'static str| move |name: &str| format!("{what} `{name}`");
    balancers
        .map(said("load balancer"))
        .chain(groups.map(said("target group")))
        .chain(securities.map(said("security group")))
        .collect()
}

/// Where servers are that nobody stands before.
fn addresses(generations: &[Generation], front: &Traits) -> Option<(String, String)> {
    if front.contains_key("load_balancer") {
        return None;
    }
    let serving = generations.iter().filter(|generation| generation.attached);
    let servers = serving.flat_map(|generation| &generation.servers);
    let addresses: Vec<String> = servers.filter_map(|server| server.address.clone()).collect();
    (!addresses.is_empty()).then(|| ("addresses".into(), addresses.join(", ")))
}
