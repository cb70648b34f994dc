use super::group::{Group, leave};
use super::keep;
use super::temporary::TemporaryImage;
use super::user_data::user_data;
use crate::aws::tags::{self, Tags, specification};
use crate::aws::{Aws, Refusal, once_visible};
use crate::base::{BaseImage, MachineFacts};
use crate::index::Layer;
use crate::run::{Age, LIFETIME, Made, Object, Run, Traced, remove, settle};
use crate::ssh::in_our_words;
use crate::wait::Poller;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, Instance,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, InstanceType,
    ResourceType, ShutdownBehavior, VolumeType,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kiln::{Address, Ec2};
use kiln_engine::Error;
use kiln_ssh::KeyPair;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// What a machine is launched from and where.
pub(crate) struct Launch<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) run: &'a Run,
    pub(crate) poller: &'a Poller,
    /// What the recipe says of it.
    pub(crate) recipe: &'a Ec2,
    /// For people: `web/site`.
    pub(crate) name: &'a str,
}

/// A machine that runs, and all that was made for it.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) made: Made,
    group: Option<Group>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) address: IpAddr,
    pub(crate) facts: MachineFacts,
    /// What it must prove to hold.
    pub(crate) host: KeyPair,
    /// Who may log in.
    pub(crate) login: KeyPair,
}

/// Where a machine begins.
pub(crate) enum Start {
    /// An AMI of somebody else, or one of ours.
    Image(BaseImage),
    /// The snapshot of a layer.
    Snapshot { id: String, layer: Layer },
}

impl Launch<'_> {
    /// Launches a machine and waits until it runs; what was made is removed when it does not.
    ///
    /// # Errors
    /// When EC2 refuses something of it, the machine ends by itself, or the user asks to stop.
    pub(crate) async fn launch(&self, start: Start) -> Result<Launched, Error> {
        let (group, image) = tokio::join!(self.group(), self.image(start));
        let (group, (image, temporary, facts)) = match (group, image) {
            (Ok(group), Ok(image)) => (group, image),
            (Ok(group), Err(error)) => return Err(self.undo(None, group, None, error).await),
            (Err(error), Ok((_, temporary, _))) => {
                return Err(self.undo(None, None, temporary, error).await);
            }
            (Err(error), Err(_)) => return Err(error),
        };
        let host = KeyPair::generate().map_err(in_our_words)?;
        let login = KeyPair::generate().map_err(in_our_words)?;
        let data = user_data(&host, &login, self.recipe.user_data.as_deref());
        let begun = self.begin(&image, temporary.as_ref(), &facts, group.as_ref(), &data).await;
        let made = match begun {
            Ok(made) => made,
            Err(error) => return Err(self.undo(None, group, temporary, error).await),
        };
        let running = async {
            let instance = self.poller.running(made.id()).await?;
            made.seen()?;
            let address = super::address(&instance, self.recipe.address)?;
            if let Some(group) = &group {
                group.open_to(self.aws, address).await?;
            }
            Ok((instance, address))
        };
        let (instance, address) = match running.await {
            Ok(running) => running,
            Err(error) => return Err(self.undo(Some(made), group, temporary, error).await),
        };
        let launched = Launched { made, group, instance, address, facts, host, login };
        match temporary {
            None => Ok(launched),
            Some(temporary) => match temporary.remove(self.aws).await {
                Ok(()) => Ok(launched),
                Err(error) => {
                    launched.end(self.aws, self.poller).await?;
                    Err(error)
                }
            },
        }
    }

    async fn group(&self) -> Result<Option<Group>, Error> {
        if self.recipe.security_groups.is_empty() {
            Group::make(self.aws, self.run, self.recipe.subnet.as_deref()).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn image(
        &self,
        start: Start,
    ) -> Result<(String, Option<TemporaryImage>, MachineFacts), Error> {
        match start {
            Start::Image(image) => Ok((image.id, None, image.facts)),
            Start::Snapshot { id, layer } => {
                let image =
                    TemporaryImage::make(self.aws, self.run, self.poller, &id, &layer).await?;
                Ok((image.id().to_owned(), Some(image), layer.facts))
            }
        }
    }

    async fn begin(
        &self,
        image: &str,
        temporary: Option<&TemporaryImage>,
        facts: &MachineFacts,
        group: Option<&Group>,
        user_data: &str,
    ) -> Result<Made, Error> {
        let Ec2 { instance_type, subnet, security_groups, instance_profile, tags, address, .. } =
            self.recipe;
        let intent = self.run.intend(Object::Instance)?;
        let mut all: Tags = tags.clone();
        all.extend(self.run.tags(&intent, Some(LIFETIME)));
        all.insert(tags::NAME.into(), tags::value(&format!("kiln bakes {}", self.name)));
        let groups: Vec<String> = match group {
            Some(group) => vec![group.id().to_owned()],
            None => security_groups.clone(),
        };
        let kind = instance_type.as_deref().unwrap_or_else(|| default_type(facts));
        let profile = instance_profile.as_ref().map(|name| {
            let profile = IamInstanceProfileSpecification::builder();
            if name.starts_with("arn:") { profile.arn(name) } else { profile.name(name) }.build()
        });
        let call = self
            .aws
            .ec2
            .run_instances()
            .client_token(intent.token())
            .image_id(image)
            .instance_type(InstanceType::from(kind))
            .min_count(1)
            .max_count(1)
            .user_data(BASE64_STANDARD.encode(user_data))
            .block_device_mappings(self.root(facts))
            .set_iam_instance_profile(profile)
            .metadata_options(
                InstanceMetadataOptionsRequest::builder()
                    .http_tokens(HttpTokensState::Required)
                    .build(),
            )
            // A machine that powers itself off is over: see `crate::run::LIFETIME`.
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .tag_specifications(specification(ResourceType::Instance, &all))
            .tag_specifications(specification(ResourceType::Volume, &all));
        let call = match address {
            // Only an interface of its own can be told to have a public address.
            Address::Public => call.network_interfaces(
                InstanceNetworkInterfaceSpecification::builder()
                    .device_index(0)
                    .associate_public_ip_address(true)
                    .set_subnet_id(subnet.clone())
                    .set_groups(Some(groups))
                    .build(),
            ),
            Address::Private | Address::Auto => {
                call.set_subnet_id(subnet.clone()).set_security_group_ids(Some(groups))
            }
        };
        let what = format!("cannot launch a `{kind}` in {}", self.aws.region());
        // An image or group of somebody else's is there or it is not.
        let made: Vec<&str> =
            group.map(Group::id).into_iter().chain(temporary.map(TemporaryImage::id)).collect();
        let launch = async || Ok(call.clone().send().await?);
        let answer = once_visible(&made, launch).await.and_then(|answer| {
            let id = answer.instances().first().and_then(|instance| instance.instance_id());
            id.map(ToOwned::to_owned).ok_or_else(|| Refusal::of("", "EC2 names no instance"))
        });
        settle(self.aws, intent, answer, &what).await
    }

    fn root(&self, facts: &MachineFacts) -> BlockDeviceMapping {
        let volume = self.recipe.volume.clone().unwrap_or_default();
        let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
        let ebs = EbsBlockDevice::builder()
            .volume_type(VolumeType::from(volume.kind.as_str()))
            .set_volume_size(number(volume.size))
            .set_iops(number(volume.iops))
            .set_throughput(number(volume.throughput))
            .delete_on_termination(true)
            .build();
        BlockDeviceMapping::builder().device_name(&facts.root_device).ebs(ebs).build()
    }

    /// Removes what has been made so far; the error that led here is the one to tell.
    async fn undo(
        &self,
        made: Option<Made>,
        group: Option<Group>,
        temporary: Option<TemporaryImage>,
        error: Error,
    ) -> Error {
        if let Some(temporary) = temporary {
            let _stays_in_the_journal = temporary.remove(self.aws).await;
        }
        let _stays_in_the_journal = end(self.aws, self.poller, made, group, None).await;
        error
    }
}

impl Launched {
    pub(crate) fn id(&self) -> &str {
        self.made.id()
    }

    /// The volume that it booted from.
    ///
    /// # Errors
    /// When EC2 does not say.
    pub(crate) fn root_volume(&self) -> Result<&str, Error> {
        let mappings = self.instance.block_device_mappings();
        mappings
            .iter()
            .find(|mapping| mapping.device_name() == Some(&self.facts.root_device))
            .and_then(|mapping| mapping.ebs()?.volume_id())
            .ok_or_else(|| {
                Error::environment(format!(
                    "the instance `{}` has no volume at `{}`",
                    self.id(),
                    self.facts.root_device
                ))
            })
    }

    /// Leaves it to a person: the journal forgets it, and it ends by itself. Returns how to log in.
    ///
    /// # Errors
    /// When the keys cannot be written.
    pub(crate) fn keep(self, kept: &Path) -> Result<String, Error> {
        let Self { made, group, address, host, login, .. } = self;
        let enter = keep::keys(kept, made.id(), address, &host, &login)?;
        let id = made.id().to_owned();
        made.done()?;
        if let Some(group) = group {
            group.keep()?;
        }
        let hours = LIFETIME.as_secs() / 3600;
        Ok(format!("{enter}  (`{id}` ends by itself in {hours} hours)"))
    }

    /// Ends it, and removes what was made for it.
    ///
    /// # Errors
    /// When something stays; the next run tries again.
    pub(crate) async fn end(self, aws: &Aws, poller: &Poller) -> Result<(), Error> {
        let network = self.instance.vpc_id();
        end(aws, poller, Some(self.made), self.group, network).await
    }
}

async fn end(
    aws: &Aws,
    poller: &Poller,
    made: Option<Made>,
    group: Option<Group>,
    network: Option<&str>,
) -> Result<(), Error> {
    let Some(made) = made else {
        return match group {
            Some(group) => group.remove(aws).await,
            None => Ok(()),
        };
    };
    // Else the group is in use until the machine is gone, which takes EC2 half a minute.
    let left = match (&group, network) {
        (Some(_), Some(network)) => leave(aws, network, made.id()).await,
        (Some(_), None) => false,
        (None, _) => true,
    };
    remove(aws, Object::Instance, made.id(), Age::Young).await?;
    if !left {
        poller.terminated(made.id()).await?;
    }
    made.done()?;
    match group {
        Some(group) => group.remove(aws).await,
        None => Ok(()),
    }
}

/// The smallest type on which packages install without running out of memory.
fn default_type(facts: &MachineFacts) -> &'static str {
    if facts.architecture == "arm64" { "t4g.small" } else { "t3.small" }
}
