//! Plans on disk: what `plan --out` writes, and `deploy FILE` does exactly, or not at all.

use super::Survey;
use crate::recipes::Recipes;
use kiln_engine::Error;
use kiln_engine::deploy::Plan;
use kiln_engine::plan::Planned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Of the format of plan files.
const VERSION: u32 = 3;

/// A plan as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlanFile {
    /// Says what the file is.
    kiln: String,
    version: u32,
    /// Whose deployments these are.
    project: String,
    /// Where what was begun and deployed is written down.
    state: String,
    /// The deployments that it was asked for; empty: all.
    pub(crate) names: Vec<String>,
    /// What their images consist of.
    images: Vec<Image>,
    pub(crate) plan: Plan,
}

/// A base, a layer or an image at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Image {
    place: String,
    architecture: String,
    node: String,
    /// Its key; `None`: it depends on what is baked first.
    key: Option<String>,
    /// Why it is baked; `None`: it is there.
    bakes: Option<String>,
}

impl Image {
    /// Whether both are of the same thing, whatever has become of it.
    fn is_of_same(&self, other: &Self) -> bool {
        (&self.place, &self.architecture, &self.node)
            == (&other.place, &other.architecture, &other.node)
    }
}

impl PlanFile {
    pub(crate) fn of(recipes: &Recipes<'_>, survey: &Survey<'_>, state: String) -> Self {
        Self {
            kiln: "plan".into(),
            version: VERSION,
            project: recipes.document.project().to_owned(),
            state,
            names: recipes.names.to_vec(),
            images: images(survey),
            plan: survey.plan.clone(),
        }
    }

    /// Reads a plan for these recipes.
    ///
    /// # Errors
    /// When it cannot be read, is no plan, or one of another Kiln or project.
    pub(crate) fn read(path: &Path, recipes: &Recipes<'_>) -> Result<Self, Error> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|error| {
            Error::input(format!("cannot read the plan `{shown}`"))
                .help("`cargo xtask plan --out FILE` writes one")
                .caused_by(error)
        })?;
        let no_plan = || {
            Error::input(format!("`{shown}` is not a plan that this Kiln can carry out"))
                .help("write it with `cargo xtask plan --out FILE`, and the same Kiln")
        };
        let plan: Self =
            serde_json::from_slice(&text).map_err(|error| no_plan().caused_by(error))?;
        if plan.kiln != "plan" || plan.version != VERSION {
            return Err(no_plan());
        }
        let (of, here) = (&plan.project, recipes.document.project());
        if of != here {
            let message =
                format!("`{shown}` is a plan of the project `{of}`, and this is `{here}`");
            return Err(Error::input(message).help("plan here, or deploy it where it was planned"));
        }
        Ok(plan)
    }

    /// Writes it: to a temporary name, then renamed. It says values of the recipes, so it is its owner's alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let write = || -> std::io::Result<()> {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let next =
                folder.unwrap_or(Path::new(".")).join(format!(".{name}.{}", std::process::id()));
            let mut options = std::fs::OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.create(true).truncate(true).write(true).open(&next)?;
            let written = serde_json::to_writer_pretty(&mut file, self)
                .map_err(std::io::Error::from)
                .and_then(|()| file.write_all(b"\n"))
                .and_then(|()| std::fs::rename(&next, path));
            written.inspect_err(|_| drop(std::fs::remove_file(&next)))
        };
        write().map_err(|error| {
            Error::environment(format!("cannot write the plan `{}`", path.display()))
                .help("name a file in a folder that is there and can be written")
                .caused_by(error)
        })
    }

    /// Why it is not what would be done now.
    ///
    /// # Errors
    /// With what has moved.
    pub(crate) fn still_fits(&self, survey: &Survey<'_>, state: &str) -> Result<(), Error> {
        if self.state != state {
            let message = format!("the plan was made with the state `{}`", self.state);
            return Err(Error::input(message)
                .help(format!("deploy it with `--state {}`, or plan again", self.state)));
        }
        let now = images(survey);
        let moved = now.iter().find_map(|now| {
            let Some(then) = self.images.iter().find(|then| then.is_of_same(now)) else {
                return Some(format!("`{}` is new since", now.node));
            };
            let node = &now.node;
            match (&then.bakes, &now.bakes) {
                (None, Some(why)) => Some(format!("`{node}` would be baked now: {why}")),
                (Some(_), None) => Some(format!("`{node}` was baked since")),
                (_, Some(why)) if then.key != now.key => {
                    Some(format!("`{node}` is another one since: {why}"))
                }
                _ if then.key != now.key => Some(format!("`{node}` is another one since")),
                _ => None,
            }
        });
        if let Some(what) = moved {
            return Err(Error::input(format!("the plan is not what would be done now: {what}"))
                .help("plan again, and look at what it says"));
        }
        match self.plan.outdated(&survey.plan) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn images(survey: &Survey<'_>) -> Vec<Image> {
    let mut images = Vec::new();
    for region in &survey.regions {
        for baking in &region.bakes {
            let nodes = baking.plan.iter().flat_map(|plan| &plan.nodes);
            images.extend(nodes.map(|(index, planned)| {
                let (key, bakes) = match planned {
                    Planned::Cached { key, .. } => (Some(*key), None),
                    Planned::Build { key, why } => (*key, Some(why.to_string())),
                };
                Image {
                    place: region.name.clone(),
                    architecture: baking.project.keyed.target().architecture.clone(),
                    node: baking.project.name(*index).to_string(),
                    key: key.map(|key| key.to_string()),
                    bakes,
                }
            }));
        }
    }
    images
}
