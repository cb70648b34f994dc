use crate::aws::{Aws, Refusal};
use aws_sdk_ec2::types::{DeviceType, Image, ImageState};
use kiln_engine::Error;
use std::fmt;

/// How a machine boots from a snapshot. RegisterImage inherits nothing of it, so it travels with each
/// snapshot, as the value of a tag: `x86_64 /dev/xvda ena boot=uefi-preferred`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineFacts {
    /// EC2's name: `x86_64`, `arm64`.
    pub(crate) architecture: String,
    /// The name of the root device: `/dev/xvda`.
    pub(crate) root_device: String,
    /// Whether its kernel drives the elastic network adapter.
    pub(crate) ena: bool,
    /// `uefi`, `legacy-bios`, `uefi-preferred`; `None`: the type's default.
    pub(crate) boot_mode: Option<String>,
    /// Enhanced networking of older types: `simple`.
    pub(crate) sriov: Option<String>,
    /// The version of its TPM: `v2.0`.
    pub(crate) tpm: Option<String>,
}

impl MachineFacts {
    /// Reads what `Display` has written; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut facts = Self {
            architecture: words.next()?.to_owned(),
            root_device: words.next()?.to_owned(),
            ena: false,
            boot_mode: None,
            sriov: None,
            tpm: None,
        };
        for word in words {
            match word.split_once('=') {
                None if word == "ena" => facts.ena = true,
                Some(("boot", mode)) => facts.boot_mode = Some(mode.to_owned()),
                Some(("sriov", mode)) => facts.sriov = Some(mode.to_owned()),
                Some(("tpm", version)) => facts.tpm = Some(version.to_owned()),
                _ => return None,
            }
        }
        (facts.root_device.starts_with('/') && !facts.architecture.is_empty()).then_some(facts)
    }

    /// Debian's name of the architecture: `amd64`, `arm64`.
    pub(crate) fn debian_architecture(&self) -> &str {
        if self.architecture == "x86_64" { "amd64" } else { &self.architecture }
    }
}

impl fmt::Display for MachineFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.architecture, self.root_device)?;
        if self.ena {
            f.write_str(" ena")?;
        }
        for (name, value) in [("boot", &self.boot_mode), ("sriov", &self.sriov), ("tpm", &self.tpm)]
        {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

/// An AMI that machines can be launched from.
#[derive(Debug, Clone)]
pub(crate) struct BaseImage {
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    pub(crate) facts: MachineFacts,
}

impl BaseImage {
    /// Looks an AMI up by its id.
    ///
    /// # Errors
    /// When it is not there, or nothing that can be baked on.
    pub(crate) async fn find(aws: &Aws, id: &str) -> Result<Self, Error> {
        let gone = |refusal: &Refusal| {
            refusal.error(&format!("cannot start from the AMI `{id}` in {}", aws.region()))
        };
        let answer = aws.ec2.describe_images().image_ids(id).send().await;
        let answer = answer.map_err(|error| gone(&error.into()))?;
        match answer.images() {
            [image] => Self::of(image),
            _ => Err(gone(&Refusal::of("InvalidAMIID.NotFound", "it is not there"))),
        }
    }

    /// What EC2 says of an AMI.
    ///
    /// # Errors
    /// When it is nothing that can be baked on.
    pub(crate) fn of(image: &Image) -> Result<Self, Error> {
        let id = image.image_id().unwrap_or_default().to_owned();
        let unfit = |why: &str, help: &str| {
            Err(Error::input(format!("cannot start from the AMI `{id}`: {why}")).help(help))
        };
        if image.state() != Some(&ImageState::Available) {
            let state = image.state().map_or("unknown", ImageState::as_str);
            return unfit(&format!("its state is `{state}`"), "run `cargo xtask update`");
        }
        if image.platform().is_some() {
            return unfit("it runs Windows", "name an AMI with Linux");
        }
        let (Some(architecture), Some(root_device), Some(DeviceType::Ebs)) =
            (image.architecture(), image.root_device_name(), image.root_device_type())
        else {
            return unfit(
                "its root is not on an EBS volume",
                "name an AMI whose `RootDeviceType` is `ebs`",
            );
        };
        let facts = MachineFacts {
            architecture: architecture.as_str().to_owned(),
            root_device: root_device.to_owned(),
            ena: image.ena_support().unwrap_or(false),
            boot_mode: image.boot_mode().map(|mode| mode.as_str().to_owned()),
            sriov: image.sriov_net_support().map(ToOwned::to_owned),
            tpm: image.tpm_support().map(|version| version.as_str().to_owned()),
        };
        let name = image.name().unwrap_or_default().to_owned();
        Ok(Self { id, name, facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_the_way_through_a_tag() {
        let facts = MachineFacts {
            architecture: "arm64".into(),
            root_device: "/dev/sda1".into(),
            ena: true,
            boot_mode: Some("uefi".into()),
            sriov: Some("simple".into()),
            tpm: Some("v2.0".into()),
        };
        assert_eq!(MachineFacts::parse(&facts.to_string()), Some(facts.clone()));
        let plain = MachineFacts { ena: false, boot_mode: None, sriov: None, tpm: None, ..facts };
        assert_eq!(MachineFacts::parse(&plain.to_string()), Some(plain.clone()));
        assert_eq!(crate::aws::tags::value(&plain.to_string()), plain.to_string());
    }

    #[test]
    fn a_foreign_tag_is_no_facts() {
        for text in ["", "x86_64", "x86_64 xvda", "x86_64 /dev/xvda magic", " /dev/xvda"] {
            assert_eq!(MachineFacts::parse(text), None, "{text}");
        }
    }
}
