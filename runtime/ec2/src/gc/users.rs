use crate::aws::{Aws, MOST, Refusal, filter};
use aws_sdk_ec2::types::{InstanceStateName, LaunchTemplate, LaunchTemplateVersion};
use std::collections::{BTreeMap, BTreeSet};

/// How many templates, or versions, one answer holds at most.
const PAGE: i32 = 200;

/// Who uses AMIs.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// By AMI: the instances of it that are there, each with its state.
    pub(super) instances: BTreeMap<String, Vec<(String, String)>>,
    /// By AMI: a launch template or configuration that names it, in words.
    pub(super) templates: BTreeMap<String, String>,
}

impl Users {
    /// Asks for those of these AMIs; nothing is asked when there are none.
    ///
    /// # Errors
    /// When a call is refused.
    pub(super) async fn of(aws: &Aws, images: &[&str]) -> Result<Self, Refusal> {
        let mut users = Self::default();
        if images.is_empty() {
            return Ok(users);
        }
        for images in images.chunks(MOST) {
            users.instances(aws, images).await?;
        }
        let images = images.iter().copied().collect();
        users.templates(aws, &images).await?;
        users.configurations(aws, &images).await?;
        Ok(users)
    }

    async fn instances(&mut self, aws: &Aws, images: &[&str]) -> Result<(), Refusal> {
        let of_images = filter("image-id", images.iter().copied());
        let mut pages =
            aws.ec2.describe_instances().filters(of_images).into_paginator().items().send();
        while let Some(reservation) = pages.next().await {
            for instance in reservation?.instances.unwrap_or_default() {
                let state = instance.state().and_then(|state| state.name());
                let Some(state) = state.filter(|state| !is_over(state)) else { continue };
                if let (Some(image), Some(id)) = (instance.image_id(), instance.instance_id()) {
                    let users = self.instances.entry(image.to_owned()).or_default();
                    users.push((id.to_owned(), state.as_str().to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Each version counts: groups of servers are pinned to versions by number. The latest and the default one of
    /// all templates come in one call, older ones by a call for each template that has any.
    async fn templates(&mut self, aws: &Aws, images: &BTreeSet<&str>) -> Result<(), Refusal> {
        let call = aws.ec2.describe_launch_templates().max_results(PAGE);
        let mut pages = call.into_paginator().items().send();
        let mut templates: Vec<LaunchTemplate> = Vec::new();
        while let Some(template) = pages.next().await {
            templates.push(template?);
        }
        if templates.is_empty() {
            return Ok(());
        }
        let call = aws.ec2.describe_launch_template_versions().max_results(PAGE);
        let call = call.versions("$Latest").versions("$Default");
        let mut pages = call.into_paginator().items().send();
        while let Some(version) = pages.next().await {
            self.named_by(&version?, images);
        }
        for template in templates.iter().filter(|template| has_older_versions(template)) {
            let call = aws.ec2.describe_launch_template_versions().max_results(PAGE);
            let call = call.set_launch_template_id(template.launch_template_id.clone());
            let mut pages = call.into_paginator().items().send();
            while let Some(version) = pages.next().await {
                self.named_by(&version?, images);
            }
        }
        Ok(())
    }

    /// What groups of servers start from that know no launch templates.
    async fn configurations(&mut self, aws: &Aws, images: &BTreeSet<&str>) -> Result<(), Refusal> {
        let call = aws.autoscaling.describe_launch_configurations();
        let mut pages = call.into_paginator().items().send();
        while let Some(configuration) = pages.next().await {
            let configuration = configuration?;
            if let Some(image) = configuration.image_id().filter(|image| images.contains(image)) {
                let name = configuration.launch_configuration_name().unwrap_or_default();
                let user = format!("the launch configuration `{name}` names it");
                self.templates.insert(image.to_owned(), user);
            }
        }
        Ok(())
    }

    fn named_by(&mut self, version: &LaunchTemplateVersion, images: &BTreeSet<&str>) {
        let image = version.launch_template_data().and_then(|data| data.image_id());
        if let Some(image) = image.filter(|image| images.contains(image)) {
            let number = version.version_number().unwrap_or_default();
            let name = version.launch_template_name().unwrap_or_default();
            let user = format!("version {number} of the launch template `{name}` names it");
            self.templates.insert(image.to_owned(), user);
        }
    }
}

fn is_over(state: &InstanceStateName) -> bool {
    matches!(state, InstanceStateName::Terminated | InstanceStateName::ShuttingDown)
}

/// Whether it can have versions that are neither the latest nor the default one.
fn has_older_versions(template: &LaunchTemplate) -> bool {
    let latest = template.latest_version_number().unwrap_or(i64::MAX);
    latest > if template.default_version_number() == Some(latest) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_asked_for_older_versions_where_it_can_have_any() {
        let template = |default, latest| {
            let template = LaunchTemplate::builder().default_version_number(default);
            has_older_versions(&template.latest_version_number(latest).build())
        };
        assert!(!template(1, 1));
        assert!(!template(1, 2));
        assert!(template(2, 2));
        assert!(template(1, 3));
        assert!(template(3, 3));
    }
}
