use crate::args::Global;
use crate::driver::{At, Driver, asked_for};
use crate::sandbox;
use kiln::{Document, ImageNode};
use kiln_engine::driver::{ArtifactIndex, Builder, Collector};
use kiln_engine::graph::{Graph, ImageEntry};
use kiln_engine::inputs::Inputs;
use kiln_engine::key::Target;
use kiln_engine::lock::LockFile;
use kiln_engine::plan::{KeyedGraph, Plan};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Error};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// The Document of the recipes, and the driver that builds what a command is about.
pub(crate) struct Recipes<'a> {
    document: Document,
    images: &'a [String],
    pub(crate) driver: &'a dyn Driver,
}

impl<'a> Recipes<'a> {
    /// Reads the Document from standard input and picks the driver: the one that `--builder` names, else
    /// the one that the images ask for.
    ///
    /// # Errors
    /// When it is not a Document, no driver has that name, or the images ask for several.
    pub(crate) fn read(
        builder: Option<&str>,
        images: &'a [String],
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
        let wanted = document.images().iter();
        let wanted: Vec<&ImageNode> =
            wanted.filter(|image| images.is_empty() || images.contains(&image.name)).collect();
        let name = match (builder, &wanted[..]) {
            (Some(name), _) => name,
            (None, []) => sandbox::NAME,
            (None, [first, others @ ..]) => {
                let name = asked_for(first);
                if let Some(other) = others.iter().find(|image| asked_for(image) != name) {
                    return Err(vec![several(first, other)]);
                }
                name
            }
        };
        match drivers.iter().find(|driver| driver.name() == name) {
            Some(driver) => Ok(Self { document, images, driver: *driver }),
            None => {
                let known: Vec<&str> = drivers.iter().map(|driver| driver.name()).collect();
                Err(vec![
                    Error::input(format!("no builder is named `{name}`"))
                        .help(format!("this host has: {}", known.join(", "))),
                ])
            }
        }
    }
}

fn several(one: &ImageNode, other: &ImageNode) -> Error {
    let message = format!(
        "`{}` is built by `{}`, `{}` by `{}`",
        one.name,
        asked_for(one),
        other.name,
        asked_for(other)
    );
    Error::input(message).at(&other.origin).help(
        "name the images of one builder: `cargo xtask bake IMAGE`; or say `--builder NAME` to have all \
         built by one",
    )
}

/// The recipes of one checkout with everything that a command reads: graph, lock file, store.
pub(crate) struct Project<'a> {
    pub(crate) keyed: KeyedGraph,
    pub(crate) wanted: Vec<petgraph::graph::NodeIndex>,
    /// The wanted images by their index in the graph.
    pub(crate) images: Vec<usize>,
    pub(crate) lock: LockFile,
    pub(crate) store: Store,
    pub(crate) path: PathBuf,
    pub(crate) driver: &'a dyn Driver,
}

impl<'a> Project<'a> {
    /// Reads the inputs of the wanted images.
    ///
    /// # Errors
    /// Every mistake in the recipes, the names and the inputs.
    pub(crate) async fn read(global: &Global, recipes: Recipes<'a>) -> Result<Self, Vec<Error>> {
        let images = recipes.document.images().iter();
        let is_wanted =
            |image: &&ImageNode| recipes.images.is_empty() || recipes.images.contains(&image.name);
        let images: Vec<&ImageNode> = images.filter(is_wanted).collect();
        // Mistakes in the recipes come before those of the place where they would be built.
        let target = match recipes.document.problems() {
            [] => recipes.driver.target(&images).await?,
            _ => nowhere(recipes.driver),
        };
        Self::read_with(global, &global.store, target, recipes)
    }

    /// Likewise, for a command that looks at the recipes alone. Any user may: what inputs were hashed is
    /// remembered in the user's own cache, and neither store nor driver is touched.
    pub(crate) fn read_recipes(global: &Global, recipes: Recipes<'a>) -> Result<Self, Vec<Error>> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || named("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = named("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        let store = cache.unwrap_or_else(std::env::temp_dir).join("kiln");
        let target = nowhere(recipes.driver);
        Self::read_with(global, &store, target, recipes)
    }

    fn read_with(
        global: &Global,
        store: &Path,
        target: Target,
        recipes: Recipes<'a>,
    ) -> Result<Self, Vec<Error>> {
        let one = |error: Error| vec![error];
        let Recipes { document, images, driver } = recipes;
        let graph = Graph::new(document, driver.publishes())?;
        let selected = graph.select(images)?;
        let wanted = graph.needed_for(&selected);
        let images = indices(&graph, &selected);
        let store = Store::open(store).map_err(one)?;
        let lock = LockFile::read(&global.lock_file).map_err(one)?;
        let path = graph
            .images()
            .first()
            .map(|entry| PathBuf::from(&entry.image.root))
            .unwrap_or_default();
        let inputs = Inputs::new(store.inputs());
        let keyed =
            KeyedGraph::new(graph, &wanted, target, &inputs, &lock, kiln_sandbox::oci::resolve)?;
        Ok(Self { keyed, wanted, images, lock, store, path, driver })
    }

    /// Where the driver's artifacts are.
    pub(crate) async fn index(&self) -> Result<Box<dyn ArtifactIndex>, Vec<Error>> {
        let (_sender, never) = watch::channel(false);
        self.driver.index(&self.at(never)).await.map_err(|error| vec![error])
    }

    /// The builder.
    pub(crate) async fn builder(
        &self,
        interrupted: watch::Receiver<bool>,
    ) -> Result<Box<dyn Builder>, Vec<Error>> {
        self.driver.builder(&self.at(interrupted)).await.map_err(|error| vec![error])
    }

    /// What finds the driver's garbage.
    pub(crate) async fn collector(
        &self,
        interrupted: watch::Receiver<bool>,
    ) -> Result<Option<Box<dyn Collector>>, Vec<Error>> {
        self.driver.collector(&self.at(interrupted)).await.map_err(|error| vec![error])
    }

    fn at(&self, interrupted: watch::Receiver<bool>) -> At<'_> {
        At {
            store: self.store.root(),
            project: &self.path,
            target: self.keyed.target(),
            interrupted,
        }
    }

    pub(crate) async fn plan(&self, index: &dyn ArtifactIndex) -> Result<Plan, Vec<Error>> {
        Plan::make(&self.keyed, &self.wanted, index, &self.store, &self.path)
            .await
            .map_err(|error| vec![error])
    }

    /// The wanted images.
    pub(crate) fn images(&self) -> impl Iterator<Item = &ImageEntry> {
        self.images.iter().map(|index| &self.keyed.graph().images()[*index])
    }

    /// The name of a node.
    pub(crate) fn name(&self, index: petgraph::graph::NodeIndex) -> &kiln_engine::NodeName {
        &self.keyed.graph().node(index).name
    }
}

/// For commands that look up nothing.
fn nowhere(driver: &dyn Driver) -> Target {
    Target { builder: driver.name().into(), place: None, architecture: String::new() }
}

fn indices(graph: &Graph, selected: &[&ImageEntry]) -> Vec<usize> {
    let is_selected =
        |entry: &ImageEntry| selected.iter().any(|s| s.image.name == entry.image.name);
    let all = graph.images().iter().enumerate();
    all.filter(|(_, entry)| is_selected(entry)).map(|(index, _)| index).collect()
}

/// The first 12 digits of a key, for people.
pub(crate) fn short(key: CacheKey) -> String {
    key.0.short()
}
