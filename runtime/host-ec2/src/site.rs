use kiln::{BuilderNode, DeploymentNode, ImageNode, Origin, TargetNode};
use kiln_engine::Error;

/// Where a deployment runs, as far as recipes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Site<'a> {
    /// Its region; `None`: that of the environment.
    pub(crate) region: Option<String>,
    /// What its servers execute, in Debian's words.
    pub(crate) architecture: String,
    /// Where that was written.
    pub(crate) origin: &'a Origin,
}

/// The site of a deployment. Its image is baked where it runs, so that the image says nothing else.
///
/// # Errors
/// Each contradiction.
pub(crate) fn of<'a>(
    deployment: &'a DeploymentNode,
    image: &ImageNode,
) -> Result<Site<'a>, Vec<Error>> {
    let TargetNode::Ec2(target) = &deployment.target;
    let architecture = kiln::rules::architecture(&target.instance_type);
    let Some(BuilderNode::Ec2(baked)) = &image.builder else {
        let region = target.region.clone();
        return Ok(Site { region, architecture: architecture.into(), origin: &target.origin });
    };
    let (name, image) = (&deployment.name, &image.name);
    let mut errors = Vec::new();
    if let (Some(runs), Some(bakes)) = (&target.region, &baked.region)
        && runs != bakes
    {
        let message =
            format!("`{name}` runs in `{runs}`, its image `{image}` is baked in `{bakes}`");
        let help = "leave the region out of the image: it is baked where it is deployed";
        errors.push(Error::input(message).at(&target.origin).help(help));
    }
    // An image that names no type is baked on one that fits.
    if baked.instance_type.is_some() && baked.architecture() != architecture {
        let of_image = baked.architecture();
        let kind = &target.instance_type;
        let message = format!("`{image}` is made for {of_image}, `{kind}` executes {architecture}");
        let help = format!(
            "choose an instance type of {of_image}, or bake the image on one of {architecture}"
        );
        errors.push(Error::input(message).at(&target.origin).help(help));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let region = target.region.clone().or_else(|| baked.region.clone());
    Ok(Site { region, architecture: architecture.into(), origin: &target.origin })
}
