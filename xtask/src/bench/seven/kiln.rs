use super::Tool;
use super::case::{Case, ROUND};
use crate::bench::checkout::Checkout;
use crate::bench::measure::{self, Finished};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const RECIPES: &str = include_str!("recipes.rs.in");

/// `kiln-host bake` alone, with the Document on its standard input.
pub(super) struct Host<'a> {
    checkout: &'a Checkout,
    store: &'a Path,
    document: String,
    round: String,
}

impl<'a> Host<'a> {
    /// Replaces the recipes, compiles everything and builds the base.
    pub(super) fn new(checkout: &'a Checkout, store: &'a Path) -> Result<Self> {
        checkout.replace_recipes(RECIPES)?;
        write_note(checkout, "zero")?;
        checkout.build(&["build", "--release", "--package", "kiln-cli", "--bin", "kiln-host"])?;
        let document = checkout.document()?;
        let mut host = Self { checkout, store, document, round: ROUND.to_owned() };
        host.build()?;
        Ok(host)
    }

    /// The directory of the base's files.
    pub(super) fn base(&self) -> Result<PathBuf> {
        let built =
            &measure::run_with_input(&mut self.command(&["--format", "json"]), &self.document)?;
        let layers = layers(self.store, artifact(&built.stdout)?)?;
        layers.into_iter().last().context("an image has no base")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(self.checkout.program("release/kiln-host"));
        command.arg("--store").arg(self.store).arg("bake").args(more);
        command.current_dir(self.checkout.root());
        command
    }
}

impl Tool for Host<'_> {
    fn name(&self) -> &'static str {
        "kiln host"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        match case {
            Case::Nothing => Ok(()),
            Case::Note => write_note(self.checkout, round),
            Case::First => {
                let round = format!("round {round}");
                self.document = self.document.replace(&self.round, &round);
                self.round = round;
                Ok(())
            }
        }
    }

    fn build(&mut self) -> Result<Finished> {
        measure::run_with_input(&mut self.command(&[]), &self.document)
    }

    fn built(&self, finished: &Finished) -> Result<usize> {
        built(&finished.stderr)
    }

    fn content(&self, finished: &Finished) -> Result<String> {
        content(self.store, finished)
    }
}

/// `cargo xtask bake` as a whole: cargo finds itself fresh, the recipes are compiled if they changed and
/// run, the host bakes.
pub(super) struct Xtask<'a> {
    checkout: &'a Checkout,
    store: &'a Path,
}

impl<'a> Xtask<'a> {
    pub(super) fn new(checkout: &'a Checkout, store: &'a Path) -> Self {
        Self { checkout, store }
    }
}

impl Tool for Xtask<'_> {
    fn name(&self) -> &'static str {
        "cargo xtask bake"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        match case {
            Case::Nothing => Ok(()),
            Case::Note => write_note(self.checkout, round),
            Case::First => {
                let source = RECIPES.replace(ROUND, &format!("round {round}"));
                std::fs::write(self.checkout.root().join("recipes/src/main.rs"), source)
                    .context("cannot edit the recipe")
            }
        }
    }

    fn build(&mut self) -> Result<Finished> {
        let mut command = self.checkout.cargo(&["xtask", "bake"]);
        measure::run(command.arg("--store").arg(self.store))
    }

    fn built(&self, finished: &Finished) -> Result<usize> {
        built(&finished.stderr)
    }

    fn content(&self, finished: &Finished) -> Result<String> {
        content(self.store, finished)
    }
}

fn write_note(checkout: &Checkout, text: &str) -> Result<()> {
    let path = checkout.root().join("recipes/files/note");
    std::fs::write(path, format!("{text}\n")).context("cannot change an input")
}

/// `B built, C cached, 0 failed in …`: eight nodes, of which one is the base.
fn built(stderr: &str) -> Result<usize> {
    let line = stderr.lines().rfind(|line| line.contains(" failed in "));
    let line = line.with_context(|| format!("a bake without a summary:\n{stderr}"))?;
    let numbers: Vec<usize> =
        line.split([' ', ',']).filter_map(|word| word.parse().ok()).take(3).collect();
    match numbers[..] {
        [built, cached, 0] if built + cached == 8 => Ok(built),
        _ => bail!("a bake with an unexpected summary: `{line}`"),
    }
}

/// The image's artifact, of events as JSON lines or as text: only its first digits.
fn artifact(output: &str) -> Result<&str> {
    let json = output.split_once("\"artifact\":\"").map(|(_, rest)| rest);
    let text = output.split_once("   image seven ").map(|(_, rest)| rest);
    let rest = json.or(text).with_context(|| format!("a bake without an image:\n{output}"))?;
    Ok(rest.split(|char: char| !char.is_ascii_hexdigit()).next().unwrap_or_default())
}

/// Directories of an image's layers in the store, the topmost first. See `runtime/sandbox/src/layers`.
fn layers(store: &Path, artifact: &str) -> Result<Vec<PathBuf>> {
    let chains = store.join("sandbox/chains");
    let names: Vec<String> = std::fs::read_dir(&chains)?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let mut name = names.into_iter().find(|name| name.starts_with(artifact));
    let mut found = Vec::new();
    while let Some(chain) = name {
        let bytes = std::fs::read(chains.join(chain))?;
        let text = String::from_utf8_lossy(&bytes);
        let field = |name: &str| {
            let value = text.split_once(&format!("\"{name}\":\""))?.1;
            Some(value.split('"').next()?.to_owned())
        };
        let layer = field("diff").context("a chain without a layer")?;
        let dir = layer.get(..32).context("a layer with a short digest")?;
        found.push(store.join("sandbox/layers").join(dir).join("fs"));
        name = field("parent");
    }
    Ok(found)
}

/// What the files that the last steps made hold, as the image shows them.
fn content(store: &Path, finished: &Finished) -> Result<String> {
    let layers = layers(store, artifact(&finished.stderr)?)?;
    let read = |name: &str| {
        let found = layers.iter().map(|layer| layer.join(name)).find(|path| path.exists());
        let path = found.with_context(|| format!("no layer has `{name}`"))?;
        std::fs::read_to_string(path).context("cannot read a layer")
    };
    Ok(read("srv/note")? + &read("srv/sum")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_summary_of_all_eight_nodes_counts() {
        assert_eq!(built("x\n2 built, 6 cached, 0 failed in 372 ms\n").unwrap(), 2);
        assert!(built("2 built, 5 cached, 0 failed in 1 ms").is_err());
        assert!(built("2 built, 6 cached, 1 failed in 1 ms").is_err());
        assert!(built("").is_err());
    }
}
