use crate::fresh::{self, Program};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;

const RECIPES: Program = Program {
    name: "recipes",
    profile: "debug",
    build: &["build", "--package", "recipes", "--bin", "recipes"],
};

/// What the recipes print, as a file without a name: the host may start reading when all of it is there.
pub(crate) struct Document(File);

impl Document {
    /// Runs the recipes, compiled anew if they changed.
    pub(crate) fn make(workspace: &Workspace) -> Result<Self> {
        let recipes = fresh::ensure(workspace, &RECIPES)?;
        let path = workspace.scratch()?.join(format!("document-{}", std::process::id()));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        std::fs::remove_file(&path)
            .with_context(|| format!("cannot remove `{}`", path.display()))?;
        let status = Command::new(recipes)
            .current_dir(workspace.root())
            .stdout(file.try_clone().context("cannot share a file")?)
            .status()
            .context("cannot run the recipes")?;
        if !status.success() {
            bail!("the recipes ended with {status} and gave no Document");
        }
        file.rewind().context("cannot read the Document")?;
        Ok(Self(file))
    }

    /// Its text, which stays to be read by the host.
    pub(crate) fn text(&mut self) -> Result<String> {
        let mut text = String::new();
        let read = self.0.read_to_string(&mut text).and_then(|_| self.0.rewind());
        read.context("cannot read the Document")?;
        Ok(text)
    }

    pub(crate) fn into_file(self) -> File {
        self.0
    }
}
