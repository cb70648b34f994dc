use super::BaseImage;
use crate::aws::{Aws, Refusal, filter};
use aws_sdk_ec2::types::Image;
use kiln::{AmiSource, BaseNode, Debian, Origin};
use kiln_engine::Error;
use kiln_engine::lock::LockedImage;

/// The numbers of Debian's releases, by which it publishes its images
/// (<https://wiki.debian.org/Cloud/AmazonEC2Image>).
const RELEASES: [(&str, u32); 4] =
    [("bullseye", 11), ("bookworm", 12), ("trixie", 13), ("forky", 14)];

/// Finds the AMI that a base means today, for machines of an architecture in Debian's words.
///
/// # Errors
/// When there is none, or none of that architecture.
pub(crate) async fn resolve(
    aws: &Aws,
    base: &BaseNode,
    architecture: &str,
) -> Result<LockedImage, Error> {
    let (origin, found) = match base {
        BaseNode::Debian(debian) => (&debian.origin, official(aws, debian, architecture).await?),
        BaseNode::Ami(ami) => {
            let found = match &ami.source {
                AmiSource::Id(id) => BaseImage::find(aws, id).await,
                AmiSource::Parameter(name) => by_parameter(aws, name).await,
                AmiSource::Newest { owner, name } => newest(aws, owner, name, architecture).await,
            };
            (&ami.origin, found.map_err(|error| error.at(&ami.origin))?)
        }
        BaseNode::OciLayout(layout) => return Err(unfit("an OCI layout", &layout.origin)),
        BaseNode::RootArchive(archive) => return Err(unfit("a root archive", &archive.origin)),
        BaseNode::Scratch(origin) => return Err(unfit("nothing", origin)),
        BaseNode::Image(_) => return Err(Error::environment("an image has no base of its own")),
    };
    let is = found.facts.debian_architecture();
    if is != architecture {
        return Err(Error::input(format!(
            "the AMI `{}` is for {is}, but the instance type that bakes is for {architecture}",
            found.id
        ))
        .help(
            "choose an `instance_type` of its architecture: `t4g.small` is arm64, `t3.small` amd64",
        )
        .at(origin));
    }
    Ok(LockedImage { id: found.id, name: found.name })
}

fn unfit(what: &str, origin: &Origin) -> Error {
    Error::input(format!("an image on EC2 cannot start from {what}"))
        .help("start from `debian(…)`, an AMI, or an image that does")
        .at(origin)
}

/// Debian's own image of a release.
async fn official(aws: &Aws, debian: &Debian, architecture: &str) -> Result<BaseImage, Error> {
    let Debian { origin, suite, mirror: _, include } = debian;
    if !include.is_empty() {
        return Err(Error::input(format!(
            "Debian's image on EC2 holds what it holds: `{}` cannot be included in it",
            include.join(" ")
        ))
        .help("install it in a layer: `apt: […]`")
        .at(origin));
    }
    let Some((_, number)) = RELEASES.iter().find(|(name, _)| name == suite) else {
        return Err(Error::input(format!("Debian publishes no image of `{suite}` on EC2"))
            .help("name a release, such as `bookworm`, or an AMI")
            .at(origin));
    };
    let name = format!("/aws/service/debian/release/{number}/latest/{architecture}");
    by_parameter(aws, &name).await.map_err(|error| error.at(origin))
}

async fn by_parameter(aws: &Aws, name: &str) -> Result<BaseImage, Error> {
    let what = format!("cannot read the parameter `{name}` in {}", aws.region());
    let answer = aws.ssm().get_parameter().name(name).send().await.map_err(|error| {
        let refusal = Refusal::from(error);
        match refusal.code() {
            "ParameterNotFound" => Error::input(format!("{what}: it is not there"))
                .help("is its name right? `aws ssm get-parameters-by-path --path …` lists names"),
            _ => refusal.error(&what),
        }
    })?;
    let value = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
    if !value.starts_with("ami-") {
        return Err(Error::input(format!("the parameter `{name}` holds no AMI: `{value}`"))
            .help("name one whose value is `ami-…`"));
    }
    BaseImage::find(aws, value).await
}

/// The newest of those that an owner has published under names of a pattern.
async fn newest(
    aws: &Aws,
    owner: &str,
    name: &str,
    architecture: &str,
) -> Result<BaseImage, Error> {
    let what = format!("cannot look for an AMI of `{owner}` named `{name}` in {}", aws.region());
    let ec2s_name = if architecture == "amd64" { "x86_64" } else { architecture };
    let mut pages = aws
        .ec2
        .describe_images()
        .owners(owner)
        .filters(filter("name", [name]))
        .filters(filter("architecture", [ec2s_name]))
        .filters(filter("state", ["available"]))
        .max_results(1000)
        .into_paginator()
        .send();
    let mut images: Vec<Image> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Refusal::from(error).error(&what))?;
        images.extend(page.images.unwrap_or_default());
    }
    // By time; of two that were made at once, always the same.
    images.sort_by_cached_key(|image| {
        (image.creation_date().unwrap_or_default().to_owned(), image.image_id.clone())
    });
    match images.last() {
        Some(image) => BaseImage::of(image),
        None => Err(Error::input(format!(
            "no AMI of `{owner}` for {architecture} is named `{name}` in {}",
            aws.region()
        ))
        .help(
            "is the owner right, and the pattern? `*` and `?` stand for any text and any letter",
        )),
    }
}
