use super::names::{DESIRED, GENERATION, LAUNCH, VERSION, is_declared};
use super::network::Network;
use super::removal;
use super::security::Unwanted;
use super::seen::once_seen;
use super::traits;
use super::works::Works;
use super::world::{group_tags, is_going};
use crate::aws::tags::{self, Tags};
use crate::aws::{Aws, Refusal, VISIBLE_WITHIN, filter};
use crate::wait::{Kind, Seen};
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, Tag};
use aws_sdk_ec2::types::Image;
use kiln_engine::Error;
use kiln_engine::driver::{Capacity, Launch, Output};
use std::time::Instant;

/// How many objects one call tags; it takes 1000
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>).
const TAGGED_AT_ONCE: usize = 500;

impl Works<'_> {
    /// Makes a generation, without traffic.
    pub(super) async fn launch(self, launch: &Launch<'_>, output: Output<'_>) -> Result<(), Error> {
        let name = self.names().group(launch.generation);
        if let Some(there) = self.there(&name, launch).await? {
            if !is_going(&there) {
                if self.has_version(launch.generation).await? {
                    return Ok(());
                }
                // Somebody has begun to remove it: it could neither grow nor replace a server.
                removal::group(self.inner, &name).await?;
            }
            output(&format!("waiting until what was `{name}` is gone"));
            self.gone(&name).await?;
        }
        let target = self.target();
        let (network, image) = tokio::try_join!(
            async {
                let network = Network::of(self.aws(), &target.subnets, self.origin()).await?;
                let network = self.behind_balancer(network).await?;
                network.offering(self.aws(), &target.instance_type, self.origin()).await
            },
            self.image(launch.image),
        )?;
        let security = match &target.security_groups[..] {
            [] => self.own_security(&network.vpc).await?,
            named => named.to_vec(),
        };
        let root_device = image.root_device_name().unwrap_or("/dev/xvda");
        let version = self.template_version(launch, security, root_device).await?;
        self.create(launch, &name, &network, version).await?;
        output(&format!("`{name}` starts {} servers", launch.capacity.desired));
        Ok(())
    }

    /// The group of this name, where it is this generation's.
    async fn there(
        self,
        name: &str,
        launch: &Launch<'_>,
    ) -> Result<Option<AutoScalingGroup>, Error> {
        let there = describe(self.aws(), name).await;
        let there = there.map_err(|refusal| self.refused(refusal, "see the servers"))?;
        let Some(there) = there else { return Ok(None) };
        let tags = group_tags(&there);
        let mut own = self.names().own_tags();
        own.insert(GENERATION.into(), launch.generation.to_string());
        if !is_going(&there) {
            own.insert(format!("{LAUNCH}image"), launch.image.to_owned());
        }
        if own.iter().all(|(name, value)| tags.get(name) == Some(value)) {
            Ok(Some(there))
        } else {
            Err(self.foreign("an Auto Scaling group", name))
        }
    }

    /// Waits until a group that is being deleted is no more.
    async fn gone(self, name: &str) -> Result<(), Error> {
        let mut follower = self.inner.poller.follow(Kind::Group, name).of_known();
        loop {
            let seen = tokio::select! {
                biased;
                () = self.inner.poller.interruption() => return Err(Error::interrupted()),
                seen = follower.next() => seen,
            };
            if let Seen::Absent =
                seen.map_err(|refusal| self.refused(refusal, "see the servers"))?
            {
                return Ok(());
            }
        }
    }

    /// What servers start from: it may have been deregistered since it was baked.
    async fn image(self, id: &str) -> Result<Image, Error> {
        let call = self.aws().ec2.describe_images().image_ids(id);
        let told = |refusal: Refusal| self.refused(refusal, "start the servers");
        let answer = call.send().await.map_err(|error| told(error.into()))?;
        answer.images.unwrap_or_default().pop().ok_or_else(|| {
            told(Refusal::of(
                "InvalidAMIID.NotFound",
                format!("The image id `{id}` does not exist"),
            ))
        })
    }

    /// That which `prepare` has made.
    async fn own_security(self, vpc: &str) -> Result<Vec<String>, Error> {
        let begun = Instant::now();
        loop {
            let found = self.find_security(super::names::SERVERS, vpc).await?;
            if let Some(id) = found.and_then(|group| group.group_id) {
                return Ok(vec![id]);
            }
            if begun.elapsed() > VISIBLE_WITHIN {
                return self
                    .servers_security(None, vpc, Unwanted::Stay)
                    .await
                    .map(|id| id.into_iter().collect());
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }

    async fn create(
        self,
        launch: &Launch<'_>,
        name: &str,
        network: &Network,
        version: i64,
    ) -> Result<(), Error> {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_name(self.names().template())
            .version(version.to_string());
        let Capacity { min, desired, max } = launch.capacity;
        let call = self
            .aws()
            .autoscaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(name)
            .launch_template(template.build())
            .min_size(number(min))
            .max_size(number(max))
            .desired_capacity(number(desired))
            .vpc_zone_identifier(network.ids().join(","))
            // Until it has traffic only EC2's own checks end a server: one that does not get healthy must stay to be
            // looked at. See `attach`.
            .health_check_type("EC2")
            .termination_policies("OldestInstance")
            .set_tags(Some(self.group_tags(launch, name, version)));
        let made =
            once_seen(&self.named(), async || Ok(call.clone().send().await.map(drop)?)).await;
        match made {
            Err(refusal) if refusal.code().contains("AlreadyExists") => {
                self.there(name, launch).await.map(drop)
            }
            made => made.map_err(|refusal| self.refused(refusal, "start the servers")),
        }
    }

    /// Those of the servers too, and what they start with: this is how it is read back.
    fn group_tags(self, launch: &Launch<'_>, name: &str, version: i64) -> Vec<Tag> {
        let mut propagated = self.names().tags(self.deployment);
        propagated.insert(GENERATION.into(), launch.generation.to_string());
        let own = traits::launch(self.deployment, launch.image);
        let own = own.into_iter().map(|(name, value)| (format!("{LAUNCH}{name}"), value));
        let version = (VERSION.to_owned(), version.to_string());
        let desired = (DESIRED.to_owned(), self.deployment.replicas.desired.to_string());
        let own: Tags = own.chain([version, desired]).collect();
        let of = |(key, value): (&String, &String), propagate| tag(name, key, value, propagate);
        let own = own.iter().map(|pair| of(pair, false));
        propagated.iter().map(|pair| of(pair, true)).chain(own).collect()
    }

    /// Makes its size and its tags as declared.
    pub(super) async fn resize(self, generation: u32, capacity: Capacity) -> Result<(), Error> {
        let name = self.names().group(generation);
        let told = |refusal: Refusal| self.refused(refusal, "resize the servers");
        let there = describe(self.aws(), &name).await.map_err(told)?;
        let there = there.filter(|group| !is_going(group)).ok_or_else(|| {
            Error::environment(format!("`{name}` is not there"))
                .help("deploy again: what is missing is made")
        })?;
        // Before: servers to come get the tags that the group has then.
        self.retag(&there, &name).await.map_err(told)?;
        let Capacity { min, desired, max } = capacity;
        let has = (there.min_size(), there.desired_capacity(), there.max_size());
        if has != (Some(number(min)), Some(number(desired)), Some(number(max))) {
            let call = self.aws().autoscaling.update_auto_scaling_group();
            let call = call.auto_scaling_group_name(&name).min_size(number(min));
            let call = call.max_size(number(max)).desired_capacity(number(desired));
            call.send().await.map_err(|error| told(error.into()))?;
        }
        // After: what is written down has been done.
        let desired = self.deployment.replicas.desired.to_string();
        if group_tags(&there).get(DESIRED) != Some(&desired) {
            let tag = tag(&name, DESIRED, &desired, false);
            let call = self.aws().autoscaling.create_or_update_tags().tags(tag);
            call.send().await.map_err(|error| told(error.into()))?;
        }
        Ok(())
    }

    /// On the servers that are there, and then on the group for those to come: by the group it is seen that it was done.
    async fn retag(self, group: &AutoScalingGroup, name: &str) -> Result<(), Refusal> {
        let wanted = self.names().tags(self.deployment);
        let has = group_tags(group);
        let ids = group.instances().iter().filter_map(|one| one.instance_id.clone()).collect();
        let servers = servers(self.aws(), ids).await?;
        let all = || servers.iter().map(|server| &server.tags).chain([&has]);
        let differs =
            |(key, value): &(&String, &String)| all().any(|has| has.get(*key) != Some(*value));
        let missing: Tags = wanted
            .iter()
            .filter(differs)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let extra: Vec<String> = has
            .keys()
            .filter(|key| is_declared(key) && !wanted.contains_key(*key))
            .cloned()
            .collect();
        if missing.is_empty() && extra.is_empty() {
            return Ok(());
        }
        let Aws { autoscaling, ec2, .. } = self.aws();
        let ids: Vec<String> = servers.into_iter().flat_map(|server| server.ids).collect();
        let pair = |(key, value): (&String, &String)| {
            aws_sdk_ec2::types::Tag::builder().key(key).value(value).build()
        };
        if !missing.is_empty() {
            for ids in ids.chunks(TAGGED_AT_ONCE) {
                let tags = missing.iter().map(pair).collect();
                let call = ec2.create_tags().set_resources(Some(ids.to_vec()));
                unless_gone(call.set_tags(Some(tags)).send().await)?;
            }
            let tags = missing.iter().map(|(key, value)| tag(name, key, value, true)).collect();
            autoscaling.create_or_update_tags().set_tags(Some(tags)).send().await?;
        }
        if !extra.is_empty() {
            // One that has a value is only removed where the value fits.
            let bare = |key: &String| {
                let tag = Tag::builder().resource_type(RESOURCE).resource_id(name);
                tag.key(key).propagate_at_launch(true).build()
            };
            for ids in ids.chunks(TAGGED_AT_ONCE) {
                let key = |key: &String| aws_sdk_ec2::types::Tag::builder().key(key).build();
                let tags = extra.iter().map(key).collect();
                let call = ec2.delete_tags().set_resources(Some(ids.to_vec()));
                unless_gone(call.set_tags(Some(tags)).send().await)?;
            }
            let tags = extra.iter().map(bare).collect();
            autoscaling.delete_tags().set_tags(Some(tags)).send().await?;
        }
        Ok(())
    }
}

/// A server that is there.
struct Tagged {
    /// Its own and those of its volumes.
    ids: Vec<String>,
    tags: Tags,
}

/// Those of some servers that have not ended.
async fn servers(aws: &Aws, ids: Vec<String>) -> Result<Vec<Tagged>, Refusal> {
    let mut all = Vec::new();
    for ids in ids.chunks(crate::aws::MOST) {
        let call = aws.ec2.describe_instances().filters(filter("instance-id", ids));
        let call = call.filters(filter("instance-state-name", ["pending", "running"]));
        for one in call.send().await?.reservations.unwrap_or_default() {
            for instance in one.instances.unwrap_or_default() {
                let mappings = instance.block_device_mappings().iter();
                let volumes = mappings.filter_map(|mapping| mapping.ebs()?.volume_id());
                let ids = volumes.chain(instance.instance_id()).map(ToOwned::to_owned).collect();
                all.push(Tagged { ids, tags: tags::read(instance.tags()) });
            }
        }
    }
    Ok(all)
}

/// A server may end while it is tagged: the others are seen to lack it, and tagged the next time.
fn unless_gone<T, E>(done: Result<T, E>) -> Result<(), Refusal>
where
    Refusal: From<E>,
{
    match done.map_err(Refusal::from) {
        Err(refusal) if refusal.is_not_found() => Ok(()),
        done => done.map(drop),
    }
}

/// A group by its name.
///
/// # Errors
/// When Auto Scaling refuses to say.
pub(super) async fn describe(aws: &Aws, name: &str) -> Result<Option<AutoScalingGroup>, Refusal> {
    let call = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name);
    Ok(call.send().await?.auto_scaling_groups.unwrap_or_default().pop())
}

/// How tags of Auto Scaling name what they are on.
const RESOURCE: &str = "auto-scaling-group";

/// A tag of a group; its servers get it too where it is propagated.
pub(super) fn tag(group: &str, name: &str, value: &str, propagate: bool) -> Tag {
    Tag::builder()
        .resource_type(RESOURCE)
        .resource_id(group)
        .key(name)
        .value(value)
        .propagate_at_launch(propagate)
        .build()
}

fn number(of: u32) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}
