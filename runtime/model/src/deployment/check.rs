//! From what a recipe says to the Document's node, with everything noted that is wrong.

use super::load_balancer::Around;
use super::{Deployment, DeploymentNode, Ec2Target, TargetNode, target};
use crate::{BuilderNode, Image, ImageNode, Origin, Problems, Volume};
use kiln_rules as rules;
use std::collections::BTreeMap;

impl Deployment {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its image, which the Document adds first.
    pub(crate) fn take_image(&mut self) -> Option<Image> {
        self.image.take()
    }

    /// The node of a deployment whose image the Document has at an index. `None`: it names none.
    pub(crate) fn into_node(
        self,
        image: Option<(usize, &ImageNode)>,
        problems: &mut Problems,
    ) -> DeploymentNode {
        let Self {
            name,
            doc,
            origin,
            image: _,
            target,
            replicas,
            ports,
            health,
            strategy,
            load_balancer,
            tags,
        } = self;
        problems.check(&origin, rules::node(&name));
        let target = target.unwrap_or_else(|| {
            problems.push(
                &origin,
                format!("deployment `{name}` has no `target`"),
                Some("say where its servers run: `target::ec2()`".into()),
            );
            target::ec2().into()
        });
        target.check(problems);
        match image {
            Some((_, image)) => fits(image, &target, problems),
            None => problems.push(
                &origin,
                format!("deployment `{name}` has no `image`"),
                Some("name the recipe that its servers start from".into()),
            ),
        }
        let replicas = replicas.1.into_node(&replicas.0, problems);
        let numbers: Vec<u64> = ports.1.iter().copied().map(u64::from).collect();
        for (at, number) in numbers.iter().enumerate() {
            problems.check(&ports.0, rules::another_port(*number, &numbers[..at]));
        }
        let ports = ports.1;
        let health = health.map(|check| check.into_node(&ports, problems));
        strategy.1.check(&strategy.0, problems);
        let around = Around { target: &target, ports: &ports, health: health.as_ref() };
        let load_balancer = load_balancer.map(|balancer| balancer.into_node(&around, problems));
        check_tags(&tags.0, &tags.1, problems);
        DeploymentNode {
            name,
            doc,
            origin,
            image: image.map_or(0, |(index, _)| index),
            target,
            replicas,
            ports,
            health,
            strategy: strategy.1,
            load_balancer,
            tags: tags.1,
        }
    }
}

fn check_tags(origin: &Origin, tags: &BTreeMap<String, String>, problems: &mut Problems) {
    problems.check(origin, rules::tags(tags.len()));
    for (key, value) in tags {
        problems.check(origin, rules::tag_key(key));
        problems.check(origin, rules::tag_value(key, value));
    }
}

/// Notes where servers cannot start from an image: it is baked elsewhere, for another processor, or on a larger volume.
/// What an image leaves unsaid is as the deployment says: it is baked for it.
fn fits(image: &ImageNode, target: &TargetNode, problems: &mut Problems) {
    let TargetNode::Ec2(target) = target;
    let Ec2Target { origin, region, instance_type, volume, .. } = target;
    let Some(BuilderNode::Ec2(builder)) = &image.builder else { return };
    let (name, at) = (&image.name, &builder.origin);
    if let (Some(here), Some(there)) = (region, &builder.region)
        && here != there
    {
        problems.push(
            origin,
            format!("runs in `{here}`, but its image `{name}` is baked in `{there}` ({at})"),
            Some("leave the region out of the image: it is baked in each that it runs in".into()),
        );
    }
    let (here, there) = (target.architecture(), builder.architecture());
    // What is no instance type has been noted.
    if let Some(on) = &builder.instance_type
        && here != there
        && rules::instance_type(instance_type).is_ok()
    {
        problems.push(
            origin,
            format!(
                "`{instance_type}` is {here}, but its image `{name}` is baked on `{on}`, which is {there} ({at})"
            ),
            Some("choose instance types of one architecture, or leave the image's out: it is baked on one that fits".into()),
        );
    }
    let size = |volume: &Option<Volume>| volume.as_ref().and_then(|volume| volume.size);
    if let (Some(here), Some(there)) = (size(volume), size(&builder.volume))
        && here < there
    {
        problems.push(
            origin,
            format!(
                "a volume of {here} GiB is smaller than the {there} GiB of its image `{name}` ({at})"
            ),
            Some("a volume does not shrink: leave `size` to the image, or ask for more".into()),
        );
    }
}
