use super::dep_info;
use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables that change what cargo or a compiler makes, beside those that start like [`PREFIXES`].
const NAMES: [&str; 16] = [
    "AR",
    "CARGO",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_HOME",
    "CARGO_INCREMENTAL",
    "CC",
    "CFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];

const PREFIXES: [&str; 5] =
    ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_UNSTABLE_", "PKG_CONFIG"];

/// What had a say in how a program was built.
#[derive(Debug)]
pub(super) struct Influences {
    /// The program itself.
    pub(super) binary: PathBuf,
    /// Other files, there or not.
    pub(super) files: BTreeSet<PathBuf>,
    /// Names of environment variables, set or not.
    pub(super) variables: BTreeSet<OsString>,
}

/// `None` when not all of them can be known: then cargo is asked each time.
pub(super) fn of(workspace: &Workspace, profile: &Path, binary: &Path) -> Option<Influences> {
    let mut files: BTreeSet<PathBuf> = dep_info::sources(binary)?.into_iter().collect();
    let manifests: BTreeSet<PathBuf> = files.iter().filter_map(|file| manifest(file)).collect();
    for manifest in &manifests {
        let build_script = manifest.with_file_name("build.rs");
        if build_script.exists() {
            // What a build script looks at is known to cargo alone.
            return None;
        }
        files.insert(build_script);
    }
    files.extend(manifests);
    let root = workspace.root();
    files.extend(["Cargo.toml", "Cargo.lock"].map(|name| root.join(name)));
    for dir in root.ancestors() {
        files.extend(
            ["rust-toolchain", "rust-toolchain.toml", ".cargo/config", ".cargo/config.toml"]
                .map(|name| dir.join(name)),
        );
    }
    files.extend(["config", "config.toml"].map(|name| cargo_home().join(name)));
    files.extend([workspace.cargo().to_owned(), workspace.cargo().with_file_name("rustc")]);

    let mut variables: BTreeSet<OsString> =
        dep_info::variables(profile)?.into_iter().map(OsString::from).collect();
    variables.extend(NAMES.map(OsString::from));
    variables.extend(std::env::vars_os().map(|(name, _)| name).filter(is_prefixed));
    Some(Influences { binary: binary.to_owned(), files, variables })
}

/// Whether a variable is one of a family of which any may be set.
pub(super) fn is_prefixed(name: &OsString) -> bool {
    let name = name.as_encoded_bytes();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

fn manifest(source: &Path) -> Option<PathBuf> {
    source.ancestors().skip(1).map(|dir| dir.join("Cargo.toml")).find(|path| path.exists())
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}
