use super::names::GENERATION;
use super::refused::explained;
use super::seen::once_seen;
use super::works::Works;
use crate::aws::tags::{self, specification};
use crate::aws::{Aws, Refusal};
use aws_sdk_ec2::types::{
    DeleteLaunchTemplateVersionsResponseErrorItem, InstanceType,
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    LaunchTemplateTagSpecificationRequest, LaunchTemplateVersion, RequestLaunchTemplateData,
    ResourceType, Tag, VolumeType,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kiln::Volume;
use kiln_engine::Error;
use kiln_engine::driver::Launch;

/// How many versions one answer holds at most.
const PAGE: i32 = 200;

impl Works<'_> {
    /// The version of the deployment's launch template that is of a generation; makes what is missing.
    pub(super) async fn template_version(
        self,
        launch: &Launch<'_>,
        security: Vec<String>,
        root_device: &str,
    ) -> Result<i64, Error> {
        let told = |refusal: Refusal| self.refused(refusal, "make the launch template");
        let name = self.names().template();
        let generation = description(launch.generation);
        let versions = versions(self.aws(), &name).await.map_err(told)?;
        if let Some(versions) = &versions {
            let of = |version: &&LaunchTemplateVersion| {
                version.version_description() == Some(&generation)
            };
            if let Some(number) = versions.iter().find(of).and_then(|one| one.version_number()) {
                return Ok(number);
            }
        }
        let data = self.data(launch, security, root_device);
        let ec2 = &self.aws().ec2;
        if versions.is_none() {
            let tags = self.names().tags(self.deployment);
            let call = ec2.create_launch_template().launch_template_name(&name);
            let call = call.version_description(&generation).launch_template_data(data.clone());
            let call = call.tag_specifications(specification(ResourceType::LaunchTemplate, &tags));
            let made =
                once_seen(&self.named(), async || Ok(call.clone().send().await.map(drop)?)).await;
            match made {
                // Made, and not shown by reads yet: this version is one more.
                Err(refusal) if refusal.code().contains("AlreadyExists") => {}
                Err(refusal) => return Err(told(refusal)),
                Ok(()) => return Ok(1),
            }
        }
        let call = ec2.create_launch_template_version().launch_template_name(&name);
        let call = call.version_description(&generation).launch_template_data(data);
        let answer = once_seen(&self.named(), async || Ok(call.clone().send().await?)).await;
        let version = answer.map_err(told)?.launch_template_version;
        version.and_then(|version| version.version_number).ok_or_else(|| {
            told(Refusal::of("", "EC2 does not say the number of the version that it made"))
        })
    }

    /// Whether what a generation launches by is there.
    pub(super) async fn has_version(self, generation: u32) -> Result<bool, Error> {
        let of = description(generation);
        let is_there = async || {
            let all = versions(self.aws(), &self.names().template()).await?.unwrap_or_default();
            match all.iter().any(|version| version.version_description() == Some(&of)) {
                true => Ok(()),
                false => Err(Refusal::of("InvalidLaunchTemplateId.VersionNotFound", "it is gone")),
            }
        };
        // One that was just made is not visible at once.
        match once_seen(&[], is_there).await {
            Err(refusal) if refusal.is_not_found() => Ok(false),
            seen => seen
                .map(|()| true)
                .map_err(|refusal| self.refused(refusal, "see the launch template")),
        }
    }

    /// What a person has named: it is there or it is not.
    pub(super) fn named(self) -> Vec<String> {
        let target = self.target();
        let named = target.subnets.iter().chain(&target.security_groups);
        named.chain(&target.instance_profile).cloned().collect()
    }

    fn data(
        self,
        launch: &Launch<'_>,
        security: Vec<String>,
        root_device: &str,
    ) -> RequestLaunchTemplateData {
        let target = self.target();
        let mut all = self.names().tags(self.deployment);
        all.insert(GENERATION.into(), launch.generation.to_string());
        let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build();
        let tags_of = |kind: ResourceType| {
            LaunchTemplateTagSpecificationRequest::builder()
                .resource_type(kind)
                .set_tags(Some(all.iter().map(tag).collect()))
                .build()
        };
        let profile = target.instance_profile.as_ref().map(|name| {
            let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
            if name.starts_with("arn:") { profile.arn(name) } else { profile.name(name) }.build()
        });
        let user_data = target.user_data.as_ref().map(|text| BASE64_STANDARD.encode(text));
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_tokens(LaunchTemplateHttpTokensState::Required);
        let data = RequestLaunchTemplateData::builder()
            .image_id(launch.image)
            .instance_type(InstanceType::from(target.instance_type.as_str()))
            .metadata_options(metadata.build())
            .set_iam_instance_profile(profile)
            .set_user_data(user_data)
            .tag_specifications(tags_of(ResourceType::Instance))
            .tag_specifications(tags_of(ResourceType::Volume));
        let data = match &target.volume {
            Some(volume) => data.block_device_mappings(root(volume, root_device)),
            None => data,
        };
        match target.public_address {
            None => data.set_security_group_ids(Some(security)),
            // Only an interface can say it, and then it has the security groups.
            Some(public) => data.network_interfaces(
                LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
                    .device_index(0)
                    .associate_public_ip_address(public)
                    .delete_on_termination(true)
                    .set_groups(Some(security))
                    .build(),
            ),
        }
        .build()
    }
}

/// By this a version is told to be of a generation.
fn description(generation: u32) -> String {
    format!("generation {generation}")
}

fn root(volume: &Volume, device: &str) -> LaunchTemplateBlockDeviceMappingRequest {
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_type(VolumeType::from(volume.kind.as_str()))
        .set_volume_size(number(volume.size))
        .set_iops(number(volume.iops))
        .set_throughput(number(volume.throughput))
        .delete_on_termination(true);
    LaunchTemplateBlockDeviceMappingRequest::builder().device_name(device).ebs(ebs.build()).build()
}

/// All versions of a template; `None`: it is not there.
async fn versions(aws: &Aws, name: &str) -> Result<Option<Vec<LaunchTemplateVersion>>, Refusal> {
    let call = aws.ec2.describe_launch_template_versions().max_results(PAGE);
    let mut pages = call.launch_template_name(name).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(version) = pages.next().await {
        match version.map_err(Refusal::from) {
            Ok(version) => all.push(version),
            Err(refusal) if is_gone(&refusal) => return Ok(None),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(Some(all))
}

fn is_gone(refusal: &Refusal) -> bool {
    refusal.is_not_found() || refusal.code().contains("NotExist")
}

/// Removes the version of a generation, and the template with the last.
///
/// # Errors
/// When EC2 refuses it.
pub(super) async fn remove_version(aws: &Aws, name: &str, generation: u32) -> Result<(), Error> {
    let told =
        |refusal: Refusal| explained(&refusal, "cannot remove the launch template's version");
    let Some(all) = versions(aws, name).await.map_err(told)? else { return Ok(()) };
    let of = description(generation);
    let (going, staying): (Vec<_>, Vec<_>) =
        all.iter().partition(|version| version.version_description() == Some(&of));
    if going.is_empty() {
        return Ok(());
    }
    let number = |version: &LaunchTemplateVersion| version.version_number();
    let Some(last) = staying.iter().filter_map(|version| number(version)).max() else {
        return remove_template(aws, name).await;
    };
    if going.iter().any(|version| version.default_version() == Some(true)) {
        // The default one cannot be removed. Nobody launches by it: groups name theirs by number.
        let call = aws.ec2.modify_launch_template().launch_template_name(name);
        let call = call.default_version(last.to_string()).send().await;
        call.map_err(|error| told(error.into()))?;
    }
    let going = going.iter().filter_map(|version| number(version)).map(|number| number.to_string());
    let call = aws.ec2.delete_launch_template_versions().launch_template_name(name);
    let removed = call.set_versions(Some(going.collect())).send().await.map_err(Refusal::from);
    match removed {
        Err(refusal) if is_gone(&refusal) => Ok(()),
        answer => {
            let left =
                left(answer.map_err(told)?.unsuccessfully_deleted_launch_template_versions());
            left.map_or(Ok(()), |refusal| Err(told(refusal)))
        }
    }
}

/// Why a version is still there: the answer of a call that removes several is no refusal when some stay.
fn left(of: &[DeleteLaunchTemplateVersionsResponseErrorItem]) -> Option<Refusal> {
    of.iter().filter_map(|one| one.response_error()).find_map(|error| {
        let code = error.code().map_or("", |code| code.as_str());
        let is_gone = code.contains("DoesNotExist");
        (!is_gone).then(|| Refusal::of(code, error.message().unwrap_or("it gave no reason")))
    })
}

/// Removes a template; it is no error when it is gone.
pub(super) async fn remove_template(aws: &Aws, name: &str) -> Result<(), Error> {
    let removed = aws.ec2.delete_launch_template().launch_template_name(name).send().await;
    match removed.map_err(Refusal::from) {
        Err(refusal) if !is_gone(&refusal) => {
            Err(explained(&refusal, &format!("cannot remove the launch template `{name}`")))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether there is a template of this name that bears these tags.
pub(super) async fn is_there(aws: &Aws, name: &str, own: &tags::Tags) -> Result<bool, Refusal> {
    let call = aws.ec2.describe_launch_templates();
    let call = call.filters(crate::aws::filter("launch-template-name", [name]));
    let there = call.send().await?.launch_templates.unwrap_or_default();
    Ok(there.iter().any(|template| {
        let has = tags::read(template.tags());
        own.iter().all(|(name, value)| has.get(name) == Some(value))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{LaunchTemplateErrorCode as Code, ResponseError};

    fn item(code: Code) -> DeleteLaunchTemplateVersionsResponseErrorItem {
        let error = ResponseError::builder().code(code).message("it is not to be").build();
        let item = DeleteLaunchTemplateVersionsResponseErrorItem::builder().version_number(3);
        item.response_error(error).build()
    }

    #[test]
    fn a_version_that_stays_is_an_error_and_one_that_is_gone_is_none() {
        let gone = item(Code::LaunchTemplateVersionDoesNotExist);
        assert_eq!(left(std::slice::from_ref(&gone)), None);
        let stays = left(&[gone, item(Code::UnexpectedError)]).unwrap();
        assert_eq!((stays.code(), stays.message()), ("unexpectedError", "it is not to be"));
    }
}
