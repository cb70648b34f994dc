use super::cloud::Cloud;
use super::interrupt;
use super::recipes::Recipes;
use crate::say;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The host's commands, on the copy and in the lab.
pub(super) struct Commands<'a> {
    pub(super) host: PathBuf,
    /// Of this rehearsal: store, lock file and copy. The state is the lab's.
    pub(super) folder: &'a Path,
    pub(super) cloud: &'a Cloud,
}

impl Commands<'_> {
    /// Shows a command as the user would type it, and runs it.
    ///
    /// # Errors
    /// When it fails; it has said why.
    pub(super) fn run(&self, recipes: &Recipes, arguments: &[&str]) -> Result<()> {
        say::line(&format!("\n$ cargo xtask {}", arguments.join(" ")));
        let status = self.command(recipes, arguments)?.status().context("cannot run the host")?;
        interrupt::check()?;
        ensure!(status.success(), "`cargo xtask {}` ended with {status}", arguments.join(" "));
        Ok(())
    }

    /// The address that a deployment is reached under.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn url(&self, recipes: &Recipes, deployment: &str) -> Result<String> {
        let mut command = self.command(recipes, &["output", deployment, "--format", "json"])?;
        let said = command.stdout(Stdio::piped()).output().context("cannot run the host")?;
        interrupt::check()?;
        let said: Value = serde_json::from_slice(&said.stdout)
            .with_context(|| format!("no outputs: {}", String::from_utf8_lossy(&said.stdout)))?;
        find(&said, "url").with_context(|| format!("`{deployment}` has no `url`: {said}"))
    }

    fn command(&self, recipes: &Recipes, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(&self.host);
        command.args(arguments).args(["--builder", "ec2"]);
        command.arg("--store").arg(self.folder.join("store"));
        command.arg("--lock-file").arg(self.folder.join("kiln.lock"));
        self.cloud.point(&mut command);
        command.current_dir(self.folder).stdin(self.document(recipes)?);
        Ok(command)
    }

    /// A file without a name: the host may start reading when all of it is there.
    fn document(&self, recipes: &Recipes) -> Result<std::fs::File> {
        let path = self.folder.join("document");
        let mut file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        file.write_all(recipes.text().as_bytes()).context("cannot write the Document")?;
        file.rewind().context("cannot read the Document")?;
        Ok(file)
    }
}

/// A text of this name, wherever it is.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(members) => match members.get(name).and_then(Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => members.values().find_map(|below| find(below, name)),
        },
        Value::Array(list) => list.iter().find_map(|below| find(below, name)),
        _ => None,
    }
}
