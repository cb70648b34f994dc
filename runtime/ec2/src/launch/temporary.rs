use crate::aws::tags::{NAME, specification};
use crate::aws::{Aws, once_visible};
use crate::base::MachineFacts;
use crate::index::Layer;
use crate::run::{Age, LIFETIME, Made, Object, Run, Traced, remove, settle};
use crate::wait::Poller;
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, ResourceType,
    TpmSupportValues, VolumeType,
};
use kiln_engine::Error;

/// An AMI that a machine is launched from, and that goes when the machine runs: EC2 launches from no
/// snapshot, and does not let a launch replace the snapshot of an AMI's root.
#[derive(Debug)]
pub(crate) struct TemporaryImage {
    made: Made,
}

impl TemporaryImage {
    /// Makes one of a snapshot, when the snapshot is completed.
    ///
    /// # Errors
    /// When the snapshot is gone or failed.
    pub(crate) async fn make(
        aws: &Aws,
        run: &Run,
        poller: &Poller,
        snapshot: &str,
        layer: &Layer,
    ) -> Result<Self, Error> {
        if !layer.is_complete {
            poller.completed(snapshot).await?;
        }
        let intent = run.intend(Object::Image)?;
        let mut tags = run.tags(&intent, Some(LIFETIME));
        tags.insert(NAME.into(), "kiln: to launch from".into());
        let call = registration(aws, snapshot, &layer.facts)
            .name(format!("kiln temporary {}", intent.token()))
            .description("made to launch a machine that bakes; goes when it runs")
            .tag_specifications(specification(ResourceType::Image, &tags));
        let answer = once_visible(&[snapshot], async || Ok(call.clone().send().await?)).await;
        let answer = answer.map(|answer| answer.image_id.unwrap_or_default());
        let what = format!("cannot launch from the snapshot `{snapshot}`");
        let made = settle(aws, intent, answer, &what).await?;
        let image = Self { made };
        match poller.available(image.id()).await {
            Ok(_) => image.made.seen().map(|()| image),
            Err(error) => {
                image.remove(aws).await?;
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.made.id()
    }

    /// Removes it. Machines that were launched from it go on.
    pub(crate) async fn remove(self, aws: &Aws) -> Result<(), Error> {
        remove(aws, Object::Image, self.id(), Age::Young).await?;
        self.made.done()
    }
}

/// A registration with all that EC2 would otherwise choose anew: RegisterImage inherits nothing from the AMI
/// that a snapshot once came from.
pub(crate) fn registration(
    aws: &Aws,
    snapshot: &str,
    facts: &MachineFacts,
) -> RegisterImageFluentBuilder {
    let MachineFacts { architecture, root_device, ena, boot_mode, sriov, tpm } = facts;
    let root = BlockDeviceMapping::builder()
        .device_name(root_device)
        .ebs(
            EbsBlockDevice::builder()
                .snapshot_id(snapshot)
                .volume_type(VolumeType::Gp3)
                .delete_on_termination(true)
                .build(),
        )
        .build();
    aws.ec2
        .register_image()
        .architecture(ArchitectureValues::from(architecture.as_str()))
        .virtualization_type("hvm")
        .root_device_name(root_device)
        .block_device_mappings(root)
        .ena_support(*ena)
        .set_boot_mode(boot_mode.as_deref().map(BootModeValues::from))
        .set_sriov_net_support(sriov.clone())
        .set_tpm_support(tpm.as_deref().map(TpmSupportValues::from))
}
