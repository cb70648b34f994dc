use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where recipes are, and where the copy of them is that is rehearsed with.
#[derive(Debug)]
pub(super) struct Site {
    /// The user's.
    pub(super) recipes: PathBuf,
    /// The copy.
    pub(super) copy: PathBuf,
}

impl Site {
    /// Copies the recipes and what they read to a new directory below `folder`.
    pub(super) fn copy(recipes: PathBuf, folder: &Path) -> Result<Self> {
        let copy = folder.join("recipes");
        let status = Command::new("cp")
            .args(["--recursive", "--preserve=mode,timestamps,links", "--"])
            .args([&recipes, &copy])
            .status()
            .context("cannot run `cp`")?;
        ensure!(status.success(), "cannot copy `{}`", recipes.display());
        Ok(Self { recipes, copy })
    }
}
