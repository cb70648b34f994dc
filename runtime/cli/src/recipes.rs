use crate::driver::{Driver, asked_for};
use kiln::{DeploymentNode, Document, ImageNode};
use kiln_engine::{Error, graph};
use kiln_rules::nearest;

/// The Document of the recipes, what a command wants of it, and the drivers that there are.
pub(crate) struct Recipes<'a> {
    pub(crate) document: Document,
    /// As the user wrote them; none: all.
    pub(crate) names: &'a [String],
    builder: Option<&'a str>,
    drivers: &'a [&'a dyn Driver],
}

impl<'a> Recipes<'a> {
    /// Reads the Document from standard input.
    ///
    /// # Errors
    /// When it is not a Document, or one whose recipes have mistakes: all of them.
    pub(crate) fn read(
        builder: Option<&'a str>,
        names: &'a [String],
        drivers: &'a [&'a dyn Driver],
    ) -> Result<Self, Vec<Error>> {
        let document: Document =
            serde_json::from_reader(std::io::stdin().lock()).map_err(|error| {
                vec![
                    Error::input("cannot read the Document of the recipes from standard input")
                        .help("run this through `cargo xtask`")
                        .caused_by(error),
                ]
            })?;
        graph::sound(&document)?;
        Ok(Self { document, names, builder, drivers })
    }

    /// These recipes, for other names.
    pub(crate) fn of(&self, names: &'a [String]) -> Self {
        Self { document: self.document.clone(), names, ..*self }
    }

    /// These recipes, built by this builder whatever they say.
    pub(crate) fn by(&self, builder: &'a str) -> Self {
        Self { document: self.document.clone(), builder: Some(builder), ..*self }
    }

    /// The builder that `--builder` names.
    pub(crate) fn builder(&self) -> Option<&'a str> {
        self.builder
    }

    /// The driver of this name.
    ///
    /// # Errors
    /// When this host has none.
    pub(crate) fn driver_named(&self, name: &str) -> Result<&'a dyn Driver, Vec<Error>> {
        let found = self.drivers.iter().find(|driver| driver.name() == name);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = self.drivers.iter().map(|driver| driver.name()).collect();
            vec![
                Error::input(format!("no builder is named `{name}`"))
                    .help(format!("this host has: {}", known.join(", "))),
            ]
        })
    }

    /// Of each builder that wanted images ask for, their names. With `--builder`, it has all.
    ///
    /// # Errors
    /// For each name that no image has.
    pub(crate) fn by_builder(&self) -> Result<Vec<(String, Vec<String>)>, Vec<Error>> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for image in self.images() {
            let builder = self.builder.unwrap_or_else(|| asked_for(image));
            match found.iter_mut().find(|(known, _)| known == builder) {
                Some((_, names)) => names.push(image.name.clone()),
                None => found.push((builder.to_owned(), vec![image.name.clone()])),
            }
        }
        let is_known =
            |name: &&String| self.document.images().iter().any(|image| image.name == **name);
        let unknown = self.names.iter().filter(|name| !is_known(name));
        let errors: Vec<Error> = unknown.map(|name| self.unknown_image(name)).collect();
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }

    /// The wanted images.
    pub(crate) fn images(&self) -> Vec<&ImageNode> {
        let is_wanted =
            |image: &&ImageNode| self.names.is_empty() || self.names.contains(&image.name);
        self.document.images().iter().filter(is_wanted).collect()
    }

    /// The deployment of this name.
    pub(crate) fn deployment(&self, name: &str) -> Option<&DeploymentNode> {
        self.document.deployments().iter().find(|deployment| deployment.name == name)
    }

    /// The error for a name that no deployment has.
    pub(crate) fn unknown_deployment(&self, name: &str) -> Error {
        let known: Vec<&str> = self.deployments().collect();
        let is_image = self.document.images().iter().any(|image| image.name == name);
        let message = match is_image {
            true => format!("`{name}` is an image, and no deployment is named so"),
            false => format!("no deployment is named `{name}`"),
        };
        Error::input(message).help(match known.is_empty() {
            true => "the recipes have none: declare one with `deployment!`".to_owned(),
            false => there_are(name, &known),
        })
    }

    /// The error for a name that neither an image nor a deployment has.
    pub(crate) fn unknown(&self, name: &str) -> Error {
        if self.document.deployments().is_empty() {
            return self.unknown_image(name);
        }
        let images = self.document.images().iter().map(|image| image.name.as_str());
        let known: Vec<&str> = self.deployments().chain(images).collect();
        Error::input(format!("no deployment and no image is named `{name}`"))
            .help(there_are(name, &known))
    }

    fn deployments(&self) -> impl Iterator<Item = &str> {
        self.document.deployments().iter().map(|deployment| deployment.name.as_str())
    }

    fn unknown_image(&self, name: &str) -> Error {
        let known: Vec<&str> =
            self.document.images().iter().map(|image| image.name.as_str()).collect();
        Error::input(format!("no image is named `{name}`")).help(there_are(name, &known))
    }
}

/// The names that there are, and which of them may have been meant.
fn there_are(name: &str, known: &[&str]) -> String {
    let all = format!("the recipes have: {}", known.join(", "));
    match nearest(name, known) {
        Some(near) if known.len() > 1 => format!("did you mean `{near}`? {all}"),
        _ => all,
    }
}
