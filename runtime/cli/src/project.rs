use crate::args::Global;
use kiln::Document;
use kiln_engine::driver::ArtifactIndex;
use kiln_engine::graph::{Graph, ImageEntry};
use kiln_engine::inputs::Inputs;
use kiln_engine::lock::LockFile;
use kiln_engine::plan::{KeyedGraph, Plan};
use kiln_engine::store::Store;
use kiln_engine::{CacheKey, Error};
use std::path::{Path, PathBuf};

/// The recipes of one checkout with everything that a command reads: graph, lock file, store.
pub(crate) struct Project {
    pub(crate) keyed: KeyedGraph,
    pub(crate) wanted: Vec<petgraph::graph::NodeIndex>,
    /// The wanted images by their index in the graph.
    pub(crate) images: Vec<usize>,
    pub(crate) lock: LockFile,
    pub(crate) store: Store,
    pub(crate) path: PathBuf,
}

impl Project {
    /// Reads the Document from standard input, and the inputs of the wanted images.
    ///
    /// # Errors
    /// Every mistake in the recipes, the names and the inputs.
    pub(crate) fn read(global: &Global, images: &[String]) -> Result<Self, Vec<Error>> {
        Self::read_with(global, &global.store, images)
    }

    /// Likewise, for a command that looks at the recipes alone. Any user may: what inputs were hashed is
    /// remembered in the user's own cache, and the store is not touched.
    pub(crate) fn read_recipes(global: &Global, images: &[String]) -> Result<Self, Vec<Error>> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || named("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = named("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        Self::read_with(global, &cache.unwrap_or_else(std::env::temp_dir).join("kiln"), images)
    }

    fn read_with(global: &Global, store: &Path, images: &[String]) -> Result<Self, Vec<Error>> {
        let one = |error: Error| vec![error];
        let document: Document =
            serde_json::from_reader(std::io::stdin().lock()).map_err(|error| {
                one(Error::input("cannot read the Document of the recipes from standard input")
                    .help("run this through `cargo xtask`")
                    .caused_by(error))
            })?;
        let graph = Graph::new(document)?;
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
        let keyed = KeyedGraph::new(
            graph,
            &wanted,
            architecture().map_err(one)?,
            &inputs,
            &lock,
            kiln_sandbox::oci::resolve,
        )?;
        Ok(Self { keyed, wanted, images, lock, store, path })
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

fn indices(graph: &Graph, selected: &[&ImageEntry]) -> Vec<usize> {
    let is_selected =
        |entry: &ImageEntry| selected.iter().any(|s| s.image.name == entry.image.name);
    let all = graph.images().iter().enumerate();
    all.filter(|(_, entry)| is_selected(entry)).map(|(index, _)| index).collect()
}

/// This machine's architecture in Debian's words.
fn architecture() -> Result<&'static str, Error> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(Error::environment(format!("cannot bake on the architecture `{other}`"))
            .help("use a machine with x86-64 or arm64")),
    }
}

/// The first 12 digits of a key, for people.
pub(crate) fn short(key: CacheKey) -> String {
    key.0.short()
}
