//! The command line.

mod deployments;

pub(crate) use deployments::{
    ChangeArgs, Deploy, Destroy, History, Look, Plan, Rollback, StateArgs,
};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use kiln_engine::bake::OnError;
use std::path::PathBuf;
use std::time::Duration;

/// Bakes machine images declared in Rust, layer by layer, cached by content, and deploys those that changed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// Where layers and records are kept.
    #[arg(
        long,
        global = true,
        env = "KILN_STORE",
        default_value = "/var/lib/kiln",
        value_name = "DIR"
    )]
    pub(crate) store: PathBuf,
    /// Who builds: `sandbox` or `ec2` [default: as each recipe says, else `sandbox`]
    #[arg(long, global = true, env = "KILN_BUILDER", value_name = "NAME")]
    pub(crate) builder: Option<String>,
    /// How many images are built, or deployments changed, side by side [default: the number of cores; on EC2 8 instances]
    #[arg(long, short, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// What is written to standard output: text for people, or one JSON event a line.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Fail rather than resolve anything or change kiln.lock.
    #[arg(long, global = true)]
    pub(crate) locked: bool,
    /// The lock file.
    #[arg(long, global = true, default_value = "kiln.lock", value_name = "FILE", hide = true)]
    pub(crate) lock_file: PathBuf,
    /// Do what would be asked about first: install what the machine lacks, remove what `gc` finds, deploy, roll back,
    /// destroy.
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnErrorArg {
    /// Remove its session.
    Cleanup,
    /// Keep its session and say how to enter it.
    Keep,
    /// Open a shell in its session.
    Shell,
}

impl From<OnErrorArg> for OnError {
    fn from(arg: OnErrorArg) -> Self {
        match arg {
            OnErrorArg::Cleanup => Self::Cleanup,
            OnErrorArg::Keep => Self::Keep,
            OnErrorArg::Shell => Self::Shell,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile the recipes and read every input they name; build nothing.
    Check,
    /// Build what changed.
    Bake(Bake),
    /// Show what a deploy, or a bake, would do, and why.
    Plan(Plan),
    /// Say why a layer is built, or what its cache key covers.
    Explain {
        /// An image, or a layer as `image/layer`.
        node: Node,
    },
    /// Resolve what the recipes take from outside again, and show what changed in kiln.lock.
    Update(Images),
    /// Print the graph of images and layers.
    Graph {
        /// The language it is printed in.
        #[arg(long = "as", value_enum, default_value_t = GraphFormat::Dot)]
        language: GraphFormat,
        #[command(flatten)]
        images: Images,
    },
    /// Bake an image and write it as an OCI image layout.
    Export(Export),
    /// Bake images and run their tests.
    Test(Bake),
    /// Remove from EC2 what the recipes do not need any more: shows what, and why the rest stays.
    Gc(Gc),
    /// Bake what is missing and make what runs as declared: shows the plan and asks first.
    Deploy(Deploy),
    /// Show what runs of the deployments: generations, servers, addresses.
    Status(Look),
    /// Show what was deployed, when, by whom and why.
    History(History),
    /// Give the traffic back to an earlier generation.
    Rollback(Rollback),
    /// Remove everything that was made for deployments: lists it, and asks for the name.
    Destroy(Destroy),
    /// Print addresses, DNS names, ids and keys of deployments.
    Output(Look),
}

impl Command {
    /// The images or deployments that it is about; none: all.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Check | Self::Gc(_) => &[],
            Self::Bake(Bake { images, .. }) | Self::Test(Bake { images, .. }) => &images.images,
            Self::Graph { images, .. } => &images.images,
            Self::Plan(Plan { names, .. })
            | Self::Deploy(Deploy { names, .. })
            | Self::Status(Look { names, .. })
            | Self::Output(Look { names, .. })
            | Self::Destroy(Destroy { names, .. }) => names,
            Self::History(History { name, .. }) | Self::Rollback(Rollback { name, .. }) => {
                std::slice::from_ref(name)
            }
            Self::Update(images) => &images.images,
            Self::Explain { node: Node { image, .. } } => std::slice::from_ref(image),
            Self::Export(Export { image, .. }) => std::slice::from_ref(image),
        }
    }

    /// Whether it builds.
    pub(crate) fn builds(&self) -> bool {
        matches!(self, Self::Bake(_) | Self::Test(_) | Self::Update(_) | Self::Export(_))
    }
}

/// An image, or a layer of one.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) image: String,
    /// As the user wrote it.
    pub(crate) name: String,
}

impl From<String> for Node {
    fn from(name: String) -> Self {
        let image = name.split('/').next().unwrap_or(&name).to_owned();
        Self { image, name }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Images {
    /// Which images [default: all]
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Bake {
    #[command(flatten)]
    pub(crate) images: Images,
    /// What happens to the session of a step that fails.
    #[arg(long, value_enum, default_value_t = OnErrorArg::Cleanup)]
    pub(crate) on_error: OnErrorArg,
    /// Also write what the images became as Packer's `manifest` post-processor does.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "packer-manifest.json")]
    pub(crate) packer_manifest: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Gc {
    /// Show it, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Keep what is younger, as `7d`, `12h` or `0s`: other recipes may want it, of a branch or of a colleague.
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = age)]
    pub(crate) older_than: Duration,
}

/// A number and a unit, days too.
fn age(text: &str) -> Result<Duration, String> {
    let malformed = || format!("malformed age `{text}`, expected such as `7d`, `12h` or `0s`");
    if let Some(days) = text.strip_suffix('d') {
        let days: u32 = days.parse().map_err(|_| malformed())?;
        return Ok(Duration::from_secs(u64::from(days) * 24 * 3600));
    }
    kiln::rules::duration_or_none(text).map_err(|_| malformed())
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// Which image.
    pub(crate) image: String,
    /// The directory to write to, or a file ending in `.tar` [default: out/IMAGE]
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// The tag under which the layout holds it.
    #[arg(long, default_value = "latest")]
    pub(crate) tag: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz.
    Dot,
    /// Mermaid, as shown by many Markdown viewers.
    Mermaid,
}
