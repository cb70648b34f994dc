use super::belongings::ImageThing;
use crate::aws::{Aws, MOST, Refusal, filter};
use aws_sdk_ec2::types::InstanceStateName;
use std::collections::BTreeMap;

/// Who uses AMIs: of each, one that does, in words.
#[derive(Debug, Default)]
pub(super) struct Users(pub(super) BTreeMap<String, String>);

impl Users {
    /// Asks for instances, launch templates and copies.
    pub(super) async fn of(aws: &Aws, images: &[ImageThing]) -> Result<Self, Refusal> {
        let ids: Vec<&str> = images.iter().map(|image| image.thing.id.as_str()).collect();
        let mut users = Self::default();
        for ids in ids.chunks(MOST) {
            users.copies(aws, ids).await?;
            users.templates(aws, ids).await?;
            // Last, so that they are what is said.
            users.instances(aws, ids).await?;
        }
        Ok(users)
    }

    async fn instances(&mut self, aws: &Aws, ids: &[&str]) -> Result<(), Refusal> {
        let of_images = filter("image-id", ids.iter().copied());
        let mut pages =
            aws.ec2.describe_instances().filters(of_images).into_paginator().items().send();
        while let Some(reservation) = pages.next().await {
            for instance in reservation?.instances.unwrap_or_default() {
                let state = instance.state().and_then(|state| state.name());
                let (Some(image), Some(id)) = (instance.image_id(), instance.instance_id()) else {
                    continue;
                };
                if let Some(state) = state.filter(|state| !is_over(state)) {
                    self.0.insert(image.into(), format!("instance `{id}` of it is {state}"));
                }
            }
        }
        Ok(())
    }

    /// Each version counts: groups of servers are pinned to versions by number.
    async fn templates(&mut self, aws: &Aws, ids: &[&str]) -> Result<(), Refusal> {
        let mut templates = aws.ec2.describe_launch_templates().into_paginator().items().send();
        while let Some(template) = templates.next().await {
            let template = template?;
            let Some(id) = template.launch_template_id() else { continue };
            let mut versions = aws
                .ec2
                .describe_launch_template_versions()
                .launch_template_id(id)
                .filters(filter("image-id", ids.iter().copied()))
                .into_paginator()
                .items()
                .send();
            while let Some(version) = versions.next().await {
                let version = version?;
                let image = version.launch_template_data().and_then(|data| data.image_id());
                if let Some(image) = image {
                    let number = version.version_number().unwrap_or_default();
                    let name = template.launch_template_name().unwrap_or(id);
                    let user = format!("version {number} of the launch template `{name}` names it");
                    self.0.insert(image.into(), user);
                }
            }
        }
        Ok(())
    }

    /// Images of this region that were copied from one of these.
    async fn copies(&mut self, aws: &Aws, ids: &[&str]) -> Result<(), Refusal> {
        let copies = aws.ec2.describe_images().owners("self");
        let copies =
            copies.filters(filter("source-image-id", ids.iter().copied())).max_results(1000);
        let mut pages = copies.into_paginator().items().send();
        while let Some(copy) = pages.next().await {
            let copy = copy?;
            if let (Some(of), Some(id)) = (copy.source_image_id(), copy.image_id()) {
                if of != id {
                    self.0.insert(of.into(), format!("`{id}` is a copy of it"));
                }
            }
        }
        Ok(())
    }
}

fn is_over(state: &InstanceStateName) -> bool {
    matches!(state, InstanceStateName::Terminated | InstanceStateName::ShuttingDown)
}
