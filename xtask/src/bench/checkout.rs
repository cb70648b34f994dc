use super::measure::{self, Finished};
use crate::workspace::{Workspace, forget_own_package};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of this checkout, as it is now, whose recipes may be replaced and edited. It is always made at the
/// same place, and has a target directory of its own that stays: only a first benchmark compiles everything.
#[derive(Debug)]
pub(super) struct Checkout {
    root: PathBuf,
    target: PathBuf,
    cargo: PathBuf,
}

impl Checkout {
    /// Copies what git knows, and what is new and not ignored, with its times: cargo goes by them.
    pub(super) fn copy(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target().join("bench-checkout");
        if root.exists() {
            std::fs::remove_dir_all(&root)
                .context("cannot remove the copy of a former benchmark")?;
        }
        std::fs::create_dir_all(&root)
            .with_context(|| format!("cannot make `{}`", root.display()))?;
        let list = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(workspace.root())
            .output()
            .context("cannot run `git`")?;
        let mut files: Vec<&Path> = list
            .stdout
            .split(|byte| *byte == 0)
            .filter_map(|name| std::str::from_utf8(name).ok())
            .map(Path::new)
            .filter(|name| workspace.root().join(name).is_file())
            .collect();
        files.sort_unstable();
        files.dedup();
        for part in files.chunks(500) {
            let mut copy = Command::new("cp");
            copy.args(["--preserve=mode,timestamps", "--parents", "--target-directory"]);
            measure::run(copy.arg(&root).args(part).current_dir(workspace.root()))?;
        }
        let target = workspace.target().join("bench");
        Ok(Self { root, target, cargo: workspace.cargo().to_owned() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A program that cargo makes here.
    pub(super) fn program(&self, path: &str) -> PathBuf {
        self.target.join(path)
    }

    /// `cargo …` in the copy, as a user would run it there.
    pub(super) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        forget_own_package(&mut command);
        command
    }

    /// Runs cargo, unmeasured.
    pub(super) fn build(&self, arguments: &[&str]) -> Result<Finished> {
        measure::run(&mut self.cargo(arguments))
    }

    /// Makes this the source of the recipes, without what was locked for others.
    pub(super) fn replace_recipes(&self, source: &str) -> Result<()> {
        let sources = self.root.join("recipes/src");
        std::fs::remove_dir_all(&sources)?;
        std::fs::create_dir_all(&sources)?;
        std::fs::create_dir_all(self.root.join("recipes/files"))?;
        std::fs::write(sources.join("main.rs"), source)?;
        // An archive drops old versions, and any base will do: it is made of what there is today.
        match std::fs::remove_file(self.root.join("kiln.lock")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Brings the example recipes back.
    pub(super) fn restore_recipes(&self, workspace: &Workspace) -> Result<()> {
        let recipes = self.root.join("recipes");
        std::fs::remove_dir_all(&recipes).context("cannot remove the recipes")?;
        let mut copy = Command::new("cp");
        copy.arg("--recursive").arg(workspace.root().join("recipes")).arg(&recipes);
        measure::run(&mut copy).map(drop)
    }

    /// The Document of the recipes as they are now.
    pub(super) fn document(&self) -> Result<String> {
        self.build(&["build", "--package", "recipes"])?;
        let mut recipes = Command::new(self.program("debug/recipes"));
        Ok(measure::run(recipes.current_dir(&self.root))?.stdout)
    }
}
