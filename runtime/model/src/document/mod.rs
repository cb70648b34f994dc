//! The Document: what recipes become, and all that the host reads of them.

mod environment;
mod known;
mod node;
#[cfg(test)]
mod tests;

pub use node::{BaseNode, BuilderNode, ImageNode, LayerNode};

use crate::{Base, Deployment, DeploymentNode, Ec2, Image, Origin, Problem, Problems};
use known::Known;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// The version of the Document's format. A host refuses another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

impl Version {
    /// What this crate writes.
    pub const CURRENT: Self = Self(4);
}

/// The serialized output of the recipes binary: images, layers, ops and origins, as plain data.
///
/// ```
/// # use kiln::prelude::*;
/// # fn web() -> Image { Image::new("web", "/").base(scratch()) }
/// // fn main() -> std::process::ExitCode {
/// let document = Document::new("shop").image(web());
/// // document.print() }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    version: Version,
    /// An older Document without one is read, so that it is refused for its version.
    #[serde(default)]
    project: String,
    images: Vec<ImageNode>,
    deployments: Vec<DeploymentNode>,
    problems: Vec<Problem>,
    #[serde(skip)]
    known: Known,
}

impl Document {
    /// A Document of the project of this name, without images.
    ///
    /// By its name a project finds again what it runs in an account, whoever has checked it out and where: 1 to 40
    /// lowercase letters, digits and `-`, beginning with a letter. Another name is another project.
    #[must_use]
    #[track_caller]
    pub fn new(project: impl Into<String>) -> Self {
        let project = project.into();
        let mut problems = Problems::default();
        problems.check(&Origin::caller(), kiln_rules::project(&project));
        Self {
            version: Version::CURRENT,
            project,
            images: Vec::new(),
            deployments: Vec::new(),
            problems: problems.into_vec(),
            known: Known::default(),
        }
    }

    /// Adds an image, and before it the images that it is based on. The same image added twice is one.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.add(image);
        self
    }

    /// Adds a deployment, and before it its image and what that is based on. The same deployment added twice is one.
    #[must_use]
    pub fn deployment(mut self, deployment: Deployment) -> Self {
        if !self.known.has(&deployment) {
            self.deploy(deployment);
        }
        self
    }

    /// The project's name.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The images, bases first.
    #[must_use]
    pub fn images(&self) -> &[ImageNode] {
        &self.images
    }

    /// The images, bases first.
    #[must_use]
    pub fn into_images(self) -> Vec<ImageNode> {
        self.images
    }

    /// The deployments, in the order in which they were added.
    #[must_use]
    pub fn deployments(&self) -> &[DeploymentNode] {
        &self.deployments
    }

    /// The images, bases first, and the deployments, which name them by their index.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ImageNode>, Vec<DeploymentNode>) {
        (self.images, self.deployments)
    }

    /// Whether any image is to be baked on EC2, for which not every host has the driver. Where deployments run
    /// is not asked: a bake needs nothing of it.
    #[must_use]
    pub fn names_ec2(&self) -> bool {
        self.images.iter().any(|image| matches!(image.builder, Some(BuilderNode::Ec2(_))))
    }

    /// The format that it is written in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The mistakes that only the recipes' values show. A Document with any is not executed.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Writes the Document to standard output: all that the `main` of a recipes crate does.
    #[must_use]
    pub fn print(self) -> ExitCode {
        let mut out = std::io::stdout().lock();
        let written =
            serde_json::to_writer(&mut out, &self).is_ok() && out.write_all(b"\n").is_ok();
        if written { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn add(&mut self, mut image: Image) -> usize {
        if let Some(index) = self.known.image(&image) {
            return index;
        }
        let recipe = image.clone();
        let mut problems = Problems::default();
        image.check(&mut problems);
        let base = match image.base.take() {
            Some(Base::Image(base)) => BaseNode::Image(self.add(*base)),
            Some(Base::Debian(base)) => BaseNode::Debian(base),
            Some(Base::OciLayout(base)) => BaseNode::OciLayout(base),
            Some(Base::RootArchive(base)) => BaseNode::RootArchive(base),
            Some(Base::Ami(base)) => BaseNode::Ami(base),
            Some(Base::Scratch(origin)) => BaseNode::Scratch(origin),
            None => BaseNode::Scratch(image.origin.clone()),
        };
        if self.known.is_image(&image.name) {
            problems.push(
                &image.origin,
                format!("two different images are named `{}`", image.name),
                Some(OWN_NAME.into()),
            );
        }
        if self.known.is_deployment(&image.name) {
            problems.push(&image.origin, both_named(&image.name), Some(OWN_NAME.into()));
        }
        let mut env = match base {
            BaseNode::Image(index) => self.images[index].env.clone(),
            _ => BTreeMap::new(),
        };
        let builder = self.builder(image.builder, &base, &mut problems);
        let layers = image.layers.into_iter();
        let layers = layers.map(|layer| environment::lower(layer, &mut env)).collect();
        self.problems.extend(problems.into_vec());
        self.images.push(ImageNode {
            name: image.name,
            doc: image.doc,
            origin: image.origin,
            root: image.root,
            base,
            builder,
            start: image.start,
            env,
            layers,
            tests: image.tests,
        });
        let index = self.images.len() - 1;
        self.known.add_image(index, recipe);
        index
    }

    /// Where an image is baked: as it says and as its base image does. What starts from an AMI can be baked nowhere
    /// but on EC2.
    fn builder(
        &self,
        own: Option<BuilderNode>,
        base: &BaseNode,
        problems: &mut Problems,
    ) -> Option<BuilderNode> {
        match base {
            BaseNode::Image(index) => {
                let base = &self.images[*index];
                match (own, &base.builder) {
                    (Some(own), Some(of_base)) => Some(own.based_on(of_base, &base.name, problems)),
                    (own, of_base) => own.or_else(|| of_base.clone()),
                }
            }
            BaseNode::Ami(ami) => {
                own.or_else(|| Some(BuilderNode::Ec2(Ec2::at(ami.origin.clone()))))
            }
            _ => own,
        }
    }

    fn deploy(&mut self, mut deployment: Deployment) {
        let recipe = deployment.clone();
        let image = deployment.take_image().map(|image| self.add(image));
        let mut problems = Problems::default();
        let image = image.map(|index| (index, &self.images[index]));
        let node = deployment.into_node(image, &mut problems);
        if self.known.is_deployment(&node.name) {
            problems.push(
                &node.origin,
                format!("two different deployments are named `{}`", node.name),
                Some(OWN_NAME.into()),
            );
        }
        if self.known.is_image(&node.name) {
            problems.push(&node.origin, both_named(&node.name), Some(OWN_NAME.into()));
        }
        self.problems.extend(problems.into_vec());
        self.deployments.push(node);
        self.known.add_deployment(recipe);
    }
}

/// What to do about a name that two things have.
const OWN_NAME: &str = "give one of them a name of its own with `.named(\"…\")`";

fn both_named(name: &str) -> String {
    format!("an image and a deployment are both named `{name}`")
}
