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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    /// A workspace with one package, and its program in a target directory of its own.
    struct Checkout {
        dir: tempfile::TempDir,
    }

    impl Checkout {
        fn new() -> Self {
            let checkout = Self { dir: tempfile::tempdir().unwrap() };
            for dir in ["recipes/src", "target/debug/deps"] {
                create_dir_all(checkout.path(dir)).unwrap();
            }
            for file in ["Cargo.toml", "recipes/Cargo.toml", "recipes/src/main.rs"] {
                write(checkout.path(file), "").unwrap();
            }
            let (program, source) =
                (checkout.path("target/debug/recipes"), checkout.path("recipes/src/main.rs"));
            let dep_info = format!("{}: {}\n", program.display(), source.display());
            write(program.with_extension("d"), dep_info).unwrap();
            checkout
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn influences(&self) -> Option<Influences> {
            let workspace = Workspace::at(self.dir.path(), &self.path("target"));
            let profile = self.path("target/debug");
            of(&workspace, &profile, &profile.join("recipes"))
        }
    }

    #[test]
    fn sources_manifests_settings_and_the_compiler_have_a_say() {
        let checkout = Checkout::new();
        let seen = checkout.influences().unwrap();
        for name in [
            "recipes/src/main.rs",
            "recipes/Cargo.toml",
            "recipes/build.rs",
            "Cargo.toml",
            "Cargo.lock",
            ".cargo/config.toml",
            "rust-toolchain.toml",
        ] {
            assert!(seen.files.contains(&checkout.path(name)), "{name}");
        }
        assert!(seen.files.iter().any(|file| file.ends_with("rustc")));
        for name in ["RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO"] {
            assert!(seen.variables.contains(&OsString::from(name)), "{name}");
        }
    }

    #[test]
    fn variables_that_a_crate_was_compiled_with_have_a_say() {
        let checkout = Checkout::new();
        write(checkout.path("target/debug/deps/recipes-1.d"), "# env-dep:RELEASE=1\n").unwrap();
        let seen = checkout.influences().unwrap();
        assert!(seen.variables.contains(&OsString::from("RELEASE")));
    }

    #[test]
    fn a_build_script_is_left_to_cargo() {
        let checkout = Checkout::new();
        write(checkout.path("recipes/build.rs"), "").unwrap();
        assert!(checkout.influences().is_none());
    }

    #[test]
    fn a_program_without_dep_info_is_left_to_cargo() {
        let checkout = Checkout::new();
        std::fs::remove_file(checkout.path("target/debug/recipes.d")).unwrap();
        assert!(checkout.influences().is_none());
    }

    #[test]
    fn families_of_variables_are_known_by_their_beginning() {
        assert!(is_prefixed(&"CARGO_PROFILE_DEV_LTO".into()));
        assert!(!is_prefixed(&"CARGO_PKG_NAME".into()));
    }
}
