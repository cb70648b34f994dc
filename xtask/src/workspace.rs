use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where this checkout and what cargo makes of it are.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    profiles: PathBuf,
    cargo: PathBuf,
}

impl Workspace {
    /// Finds the checkout by this package, and cargo's target directory by this very program, so that
    /// every way of naming a target directory is honoured.
    pub(crate) fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = package.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = package.parent().context("this package has no workspace around it")?.to_owned();
        let program = std::env::current_exe().context("cannot find this program")?;
        let profiles = program.ancestors().nth(2);
        let profiles = profiles.context("this program is in no target directory")?.to_owned();
        // With `build.target`, a directory of that name lies between.
        let target = [Some(profiles.as_path()), profiles.parent()]
            .into_iter()
            .flatten()
            .find(|dir| dir.join(".rustc_info.json").exists())
            .unwrap_or(&profiles)
            .to_owned();
        let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
        Ok(Self { root, target, profiles, cargo })
    }

    /// One at these places.
    #[cfg(test)]
    pub(crate) fn at(root: &Path, target: &Path) -> Self {
        Self {
            root: root.into(),
            target: target.into(),
            profiles: target.into(),
            cargo: "/usr/bin/cargo".into(),
        }
    }

    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where a profile's programs are: `debug` or `release`.
    pub(crate) fn profile(&self, name: &str) -> PathBuf {
        self.profiles.join(name)
    }

    /// The cargo that runs us.
    pub(crate) fn cargo(&self) -> &Path {
        &self.cargo
    }

    /// A command of that cargo, on this workspace and target directory.
    pub(crate) fn cargo_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        forget_own_package(&mut command);
        command
    }

    /// A directory for what `xtask` itself keeps.
    pub(crate) fn scratch(&self) -> Result<PathBuf> {
        let dir = self.target.join("xtask");
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make `{}`", dir.display()))?;
        Ok(dir)
    }
}

/// Takes from a command what cargo has told this very program of its package. Build scripts that watch such
/// variables, `ring`'s does, would run again, and with them all that stands on them would be compiled again, each
/// time that cargo is called by `xtask` after it was called by the user.
pub(crate) fn forget_own_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_of_own_package(&name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
}

fn is_of_own_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"]
            .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_called_without_what_it_has_said_of_this_package() {
        // Cargo sets them for tests as it does for programs that it runs.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "run this through cargo");
        let workspace = Workspace::at(Path::new("/"), Path::new("/target"));
        let command = workspace.cargo_command(&["build"]);
        let removed = |name: &str| command.get_envs().any(|pair| pair == (name.as_ref(), None));
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
        assert!(!removed("CARGO_TARGET_DIR") && !removed("CARGO_HOME") && !removed("PATH"));
    }
}
