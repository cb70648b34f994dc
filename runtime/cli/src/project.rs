use crate::args::Global;
use crate::driver::{At, Driver, EC2, Elsewhere};
use crate::places::places;
use crate::recipes::Recipes;
use crate::report::Scope;
use crate::sandbox;
use kiln::Document;
use kiln_engine::driver::{ArtifactIndex, Builder};
use kiln_engine::graph::{Graph, ImageEntry};
use kiln_engine::inputs::Inputs;
use kiln_engine::key::Target;
use kiln_engine::lock::{EntryId, LockFile};
use kiln_engine::plan::{KeyedGraph, Plan};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Error};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The recipes of one checkout with everything that a command reads: graph, lock file, store.
pub(crate) struct Project<'a> {
    pub(crate) keyed: KeyedGraph,
    pub(crate) wanted: Vec<petgraph::graph::NodeIndex>,
    /// The wanted images by their index in the graph.
    pub(crate) images: Vec<usize>,
    /// Shared by all that is baked side by side.
    pub(crate) lock: Arc<LockFile>,
    pub(crate) store: Store,
    /// The directory of the recipes: what was built last is remembered for each.
    pub(crate) path: PathBuf,
    /// What its recipes call it.
    pub(crate) own_name: String,
    pub(crate) driver: &'a dyn Driver,
}

impl<'a> Project<'a> {
    /// Reads the inputs of the wanted images: for each place where they are built, those that are built there. At least
    /// one.
    ///
    /// # Errors
    /// Every mistake in the recipes, the names and the inputs.
    pub(crate) async fn read(
        global: &Global,
        recipes: &Recipes<'a>,
    ) -> Result<Vec<Self>, Vec<Error>> {
        let places = places(recipes).await?;
        let (store, lock) = (&global.store, read_lock(global)?);
        let of = |names: &[String], driver, target| {
            Self::of(store, recipes.document.clone(), names, driver, target, Arc::clone(&lock))
        };
        if places.is_empty() {
            let driver = recipes.driver_named(recipes.builder().unwrap_or(sandbox::NAME))?;
            return Ok(vec![of(recipes.names, driver, nowhere(driver))?]);
        }
        places.into_iter().map(|place| of(&place.names, place.driver, place.target)).collect()
    }

    /// Likewise, for a command that looks at the recipes alone: for each builder that they name, the images that it
    /// builds, and those that are deployed there. Any user may: what inputs were hashed is remembered in the user's own
    /// cache, and neither store nor driver is touched.
    pub(crate) fn read_recipes(
        global: &Global,
        recipes: &Recipes<'a>,
        deployed: bool,
    ) -> Result<Vec<Self>, Vec<Error>> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || named("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = named("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        let store = cache.unwrap_or_else(std::env::temp_dir).join("kiln");
        let mut groups = recipes.by_builder()?;
        if deployed {
            let images = recipes.document.images();
            let run = recipes.document.deployments().iter();
            let deployed: BTreeSet<&str> =
                run.filter_map(|run| Some(images.get(run.image)?.name.as_str())).collect();
            for name in deployed {
                match groups.iter_mut().find(|(builder, _)| builder == EC2) {
                    Some((_, names)) if names.iter().any(|known| known == name) => {}
                    Some((_, names)) => names.push(name.to_owned()),
                    None => groups.push((EC2.to_owned(), vec![name.to_owned()])),
                }
            }
        }
        if groups.is_empty() {
            groups.push((sandbox::NAME.to_owned(), Vec::new()));
        }
        let lock = read_lock(global)?;
        let read = groups.iter().map(|(builder, names)| {
            let driver = match recipes.driver_named(builder) {
                Err(_) if builder == EC2 => &Elsewhere,
                driver => driver?,
            };
            let document = recipes.document.clone();
            Self::of(&store, document, names, driver, nowhere(driver), Arc::clone(&lock))
        });
        read.collect()
    }

    /// The wanted images for one place.
    ///
    /// # Errors
    /// Every mistake in the recipes, the names and the inputs.
    pub(crate) fn of(
        store: &Path,
        document: Document,
        names: &[String],
        driver: &'a dyn Driver,
        target: Target,
        lock: Arc<LockFile>,
    ) -> Result<Self, Vec<Error>> {
        let one = |error: Error| vec![error];
        let own_name = document.project().to_owned();
        let graph = Graph::new(document, driver.publishes())?;
        let selected = graph.select(names)?;
        let wanted = graph.needed_for(&selected);
        let images = indices(&graph, &selected);
        let store = Store::open(store).map_err(one)?;
        let path = graph
            .images()
            .first()
            .map(|entry| PathBuf::from(&entry.image.root))
            .unwrap_or_default();
        let inputs = Inputs::new(store.inputs());
        let keyed =
            KeyedGraph::new(graph, &wanted, target, &inputs, &lock, kiln_sandbox::oci::resolve)?;
        Ok(Self { keyed, wanted, images, lock, store, path, own_name, driver })
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

    pub(crate) fn at(&self, interrupted: watch::Receiver<bool>) -> At<'_> {
        At {
            store: self.store.root(),
            project: &self.own_name,
            target: self.keyed.target(),
            interrupted,
        }
    }

    pub(crate) async fn plan(&self, index: &dyn ArtifactIndex) -> Result<Plan, Vec<Error>> {
        Plan::make(&self.keyed, &self.wanted, index, &self.store, &self.path)
            .await
            .map_err(|error| vec![error])
    }

    /// What the lock file lacks for the wanted images.
    pub(crate) fn unlocked(&self) -> BTreeSet<EntryId> {
        let missing = self.wanted.iter().filter_map(|index| self.keyed.fields(*index).err());
        missing.flatten().cloned().collect()
    }

    /// Where it is built, for events: `others`: all that a command is about, from which people tell it.
    pub(crate) fn scope<'p>(&self, others: impl IntoIterator<Item = &'p Project<'a>>) -> Scope
    where
        'a: 'p,
    {
        Scope::of(self.keyed.target(), others.into_iter().map(|other| other.keyed.target()))
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

/// The lock file that is named.
pub(crate) fn read_lock(global: &Global) -> Result<Arc<LockFile>, Vec<Error>> {
    LockFile::read(&global.lock_file).map(Arc::new).map_err(|error| vec![error])
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
