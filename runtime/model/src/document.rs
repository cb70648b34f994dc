use crate::{
    Base, Debian, Image, Mode, OciLayout, Op, Origin, Owner, Problem, Problems, Put, RootArchive,
    Source, StepNode, Test,
};
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
    pub const CURRENT: Self = Self(1);
}

/// The serialized output of the recipes binary: images, layers, ops and origins, as plain data.
///
/// ```
/// # use kiln::prelude::*;
/// # fn web() -> Image { Image::new("web", "/").base(scratch()) }
/// // fn main() -> std::process::ExitCode {
/// let document = Document::new().image(web());
/// // document.print() }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    version: Version,
    images: Vec<ImageNode>,
    problems: Vec<Problem>,
    /// The recipes as they were added: what [`Document::image`] compares names by.
    #[serde(skip)]
    recipes: Vec<Image>,
}

/// An image in the Document. A base always precedes what is built on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageNode {
    /// Unique in the Document.
    pub name: String,
    /// What it is, for people.
    pub doc: String,
    /// Where it was written.
    pub origin: Origin,
    /// The absolute directory that its inputs are relative to. It never reaches a key.
    pub root: String,
    /// Where it starts.
    pub base: BaseNode,
    /// What starts it as a container; empty: its init system.
    pub start: Vec<String>,
    /// The environment of its last layer, its base's included.
    pub env: BTreeMap<String, String>,
    /// Its layers, in order.
    pub layers: Vec<LayerNode>,
    /// Its tests, in order.
    pub tests: Vec<Test>,
}

/// A base in the Document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseNode {
    /// See [`Debian`].
    Debian(Debian),
    /// Another image, by its index in [`Document::images`]; always a smaller one.
    Image(usize),
    /// See [`OciLayout`].
    OciLayout(OciLayout),
    /// See [`RootArchive`].
    RootArchive(RootArchive),
    /// Nothing.
    Scratch(Origin),
}

/// A layer in the Document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerNode {
    /// Unique in its image.
    pub name: String,
    /// Where it was written.
    pub origin: Origin,
    /// Its steps, in order.
    pub steps: Vec<StepNode>,
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    /// A Document without images.
    #[must_use]
    pub fn new() -> Self {
        Self {
            version: Version::CURRENT,
            images: Vec::new(),
            problems: Vec::new(),
            recipes: Vec::new(),
        }
    }

    /// Adds an image, and before it the images that it is based on. The same image added twice is one.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.add(image);
        self
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
        // The origin of a recipe is that of its builder calls: the same recipe is equal to itself.
        if let Some(index) = self.recipes.iter().position(|known| *known == image) {
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
            Some(Base::Scratch(origin)) => BaseNode::Scratch(origin),
            None => BaseNode::Scratch(image.origin.clone()),
        };
        if self.images.iter().any(|known| known.name == image.name) {
            problems.push(
                &image.origin,
                format!("two different images are named `{}`", image.name),
                Some("give one of them a name of its own with `.named(\"…\")`".into()),
            );
        }
        let mut env = match base {
            BaseNode::Image(index) => self.images[index].env.clone(),
            _ => BTreeMap::new(),
        };
        let layers = image.layers.into_iter().map(|layer| lower(layer, &mut env)).collect();
        self.problems.extend(problems.into_vec());
        self.images.push(ImageNode {
            name: image.name,
            doc: image.doc,
            origin: image.origin,
            root: image.root,
            base,
            start: image.start,
            env,
            layers,
            tests: image.tests,
        });
        self.recipes.push(recipe);
        self.images.len() - 1
    }
}

/// Gives each command the environment that the steps before it have set.
fn lower(layer: crate::Layer, env: &mut BTreeMap<String, String>) -> LayerNode {
    let steps = layer.steps.into_iter().map(|step| {
        let mut node = step.node;
        if !step.env.is_empty() {
            env.extend(step.env);
            node.ops.push(Op::Put(etc_environment(env)));
        }
        for op in &mut node.ops {
            if let Op::Exec(exec) = op {
                for (name, value) in env.iter() {
                    exec.env.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        node
    });
    LayerNode { name: layer.name, origin: layer.origin, steps: steps.collect() }
}

fn etc_environment(env: &BTreeMap<String, String>) -> Put {
    let text = env.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
    Put {
        dest: "/etc/environment".into(),
        source: Source::Inline(text),
        mode: Some(Mode(0o644)),
        directory_mode: None,
        owner: Owner::root(),
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::{BaseNode, Op};

    fn base() -> Image {
        Image::new("base", "/r")
            .base(debian("bookworm"))
            .layer(Layer::new("env").step(step::env([("A", "1")])))
    }

    #[test]
    fn a_shared_base_is_one_image() {
        let web = || Image::new("web", "/r").base(base());
        let api = Image::new("api", "/r").base(base());
        let document = Document::new().image(web()).image(api).image(base());
        let names: Vec<_> = document.images().iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["base", "web", "api"]);
        assert_eq!(document.images()[2].base, BaseNode::Image(0));
        assert_eq!(document.problems(), []);
    }

    #[test]
    fn a_command_sees_the_environment_set_before_it() {
        let web = Image::new("web", "/r")
            .base(base())
            .layer(Layer::new("l").step(step::run("x").env([("A", "2")])).step(step::run("y")));
        let document = Document::new().image(web);
        let ops: Vec<_> = document.images()[1].layers[0].steps.iter().map(|s| &s.ops[0]).collect();
        let seen: Vec<_> = ops
            .iter()
            .map(|op| match op {
                Op::Exec(exec) => exec.env["A"].as_str(),
                _ => "no command",
            })
            .collect();
        assert_eq!(seen, ["2", "1"]);
    }

    #[test]
    fn all_mistakes_are_noted_at_once_with_their_origins() {
        let image = Image::new("we b", "/r")
            .layer(Layer::new("a"))
            .layer(Layer::new("a").step(step::user("Root")))
            .test(Test::new("t").status(200));
        let document = Document::new().image(image);
        let messages: Vec<_> = document.problems().iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "malformed name `we b`",
                "image `we b` has no `base`",
                "layer `a` has no steps",
                "image `we b` has two layers named `a`",
                "malformed user or group name `Root`",
                "`status` without `http` in test `t`",
                "test `t` checks nothing",
            ]
        );
        assert!(document.problems().iter().all(|p| p.origin.file.ends_with("document.rs")));
    }

    #[test]
    fn a_document_survives_the_pipe() {
        let document = Document::new().image(base());
        let text = serde_json::to_string(&document).unwrap();
        let read: Document = serde_json::from_str(&text).unwrap();
        assert_eq!(read.images(), document.images());
    }
}
