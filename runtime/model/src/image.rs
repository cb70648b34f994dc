use crate::{Base, BuilderNode, Layer, Origin, Problems, Test};
use kiln_rules as rules;

/// A base and a list of layers: the unit that is deployed.
///
/// `image!` writes this chain of calls; a recipe can be written by hand with the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) root: String,
    pub(crate) origin: Origin,
    pub(crate) base: Option<Base>,
    pub(crate) builder: Option<BuilderNode>,
    pub(crate) start: Vec<String>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) tests: Vec<Test>,
}

impl Image {
    /// An image without layers. `root` is the directory that inputs are relative to: pass
    /// `env!("CARGO_MANIFEST_DIR")`.
    #[track_caller]
    pub fn new(name: impl Into<String>, root: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            doc: String::new(),
            root: root.into(),
            origin: Origin::caller(),
            base: None,
            builder: None,
            start: Vec::new(),
            layers: Vec::new(),
            tests: Vec::new(),
        }
    }

    /// Gives another name: for a recipe with parameters that appears more than once.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the image is, for people.
    #[must_use]
    pub fn doc(mut self, text: impl Into<String>) -> Self {
        self.doc = text.into();
        self
    }

    /// Where the image starts.
    #[must_use]
    pub fn base(mut self, base: impl Into<Base>) -> Self {
        self.base = Some(base.into());
        self
    }

    /// Where the image is baked: [`crate::ec2()`]. Unless told as its base image is, or else as the host is told.
    #[must_use]
    pub fn builder(mut self, builder: impl Into<BuilderNode>) -> Self {
        self.builder = Some(builder.into());
        self
    }

    /// The command that runs when the image is started as a container, and before its tests. Without
    /// one, an image that has systemd is booted.
    #[must_use]
    pub fn start<S: Into<String>>(mut self, argv: impl IntoIterator<Item = S>) -> Self {
        self.start = argv.into_iter().map(Into::into).collect();
        self
    }

    /// Appends a layer.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Appends a test.
    #[must_use]
    pub fn test(mut self, test: Test) -> Self {
        self.tests.push(test);
        self
    }

    /// Everything wrong with this image itself; its base's faults are the base's.
    pub(crate) fn check(&self, problems: &mut Problems) {
        problems.check(&self.origin, rules::node(&self.name));
        match &self.base {
            Some(base) => base.check(problems),
            None => problems.push(
                &self.origin,
                format!("image `{}` has no `base`", self.name),
                Some("start from `debian(\"bookworm\")`, another image, or `scratch()`".into()),
            ),
        }
        if let Some(builder) = &self.builder {
            builder.check(problems);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            problems.check(&layer.origin, rules::layer(&layer.name));
            if self.layers[..index].iter().any(|earlier| earlier.name == layer.name) {
                problems.push(
                    &layer.origin,
                    format!("image `{}` has two layers named `{}`", self.name, layer.name),
                    Some("give each layer a name of its own".into()),
                );
            }
            if layer.steps.is_empty() {
                problems.push(
                    &layer.origin,
                    format!("layer `{}` has no steps", layer.name),
                    Some("add a step, or remove the layer".into()),
                );
            }
            for problem in layer.problems.clone().into_vec() {
                problems.push(&problem.origin, problem.message, problem.help);
            }
        }
        for (index, test) in self.tests.iter().enumerate() {
            problems.check(&test.origin, rules::node(&test.name));
            if self.tests[..index].iter().any(|earlier| earlier.name == test.name) {
                problems.push(
                    &test.origin,
                    format!("image `{}` has two tests named `{}`", self.name, test.name),
                    Some("give each test a name of its own".into()),
                );
            }
            test.check(problems);
        }
    }
}
