use super::case::{Case, ROUND};
use super::{Tool, write_note};
use crate::bench::checkout::Checkout;
use crate::bench::cloud::Cloud;
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

const RECIPES: &str = include_str!("recipes.rs.in");

/// The layers, in order.
const LAYERS: [&str; 3] = ["packages", "data", "note"];

/// `kiln-host-ec2 bake`, with the Document on its standard input.
pub(super) struct Kiln<'a> {
    checkout: &'a Checkout,
    store: PathBuf,
    document: String,
    round: String,
}

impl<'a> Kiln<'a> {
    /// Replaces the recipes, compiles everything, and locks what comes from outside.
    pub(super) fn new(place: &Place, checkout: &'a Checkout, cloud: &Cloud) -> Result<Self> {
        let files = checkout.root().join("recipes/files");
        checkout.replace_recipes(RECIPES)?;
        std::fs::create_dir_all(&files)?;
        write_note(&files, "zero")?;
        checkout.build(&["build", "--release", "--package", "kiln-host-ec2"])?;
        let document = checkout.document()?;
        let store = place.dir("ec2-store")?;
        let kiln = Self { checkout, store, document, round: ROUND.to_owned() };
        // It bakes too: what a layer's packages are is asked on the layer before it.
        kiln.run("update", cloud)?;
        Ok(kiln)
    }

    /// The AMI that the base is locked to.
    pub(super) fn source_ami(&self) -> Result<String> {
        let lock = std::fs::read_to_string(self.checkout.root().join("kiln.lock"))?;
        let at = lock.find("\"ami-").with_context(|| format!("no AMI is locked:\n{lock}"))? + 1;
        Ok(lock[at..].chars().take_while(|char| *char != '"').collect())
    }

    fn run(&self, command: &str, cloud: &Cloud) -> Result<Finished> {
        let mut host = Command::new(self.checkout.program("release/kiln-host-ec2"));
        host.arg("--store").arg(&self.store).args([command, "--format", "json"]);
        host.current_dir(self.checkout.root()).envs(cloud.environment());
        measure::run_with_input(&mut host, &self.document)
    }
}

impl Tool for Kiln<'_> {
    fn name(&self) -> &'static str {
        "kiln host"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        match case {
            Case::Nothing => Ok(()),
            Case::Last => write_note(&self.checkout.root().join("recipes/files"), round),
            Case::Everything => {
                let round = format!("round {round}");
                self.document = self.document.replace(&self.round, &round);
                self.round = round;
                Ok(())
            }
        }
    }

    fn bake(&mut self, cloud: &Cloud) -> Result<Finished> {
        self.run("bake", cloud)
    }

    fn ami(&self, case: Case, finished: &Finished) -> Result<String> {
        let built = built(&finished.stdout);
        let wanted = &LAYERS[LAYERS.len() - case.built()..];
        ensure!(built == wanted, "Kiln built {built:?}, not {wanted:?}:\n{}", finished.stdout);
        let mut images = finished.stdout.lines().filter(|line| is(line, "image"));
        let ami =
            images.find_map(|line| field(line, "artifact")).filter(|id| id.starts_with("ami-"));
        Ok(ami.with_context(|| format!("Kiln names no AMI:\n{}", finished.stdout))?.to_owned())
    }
}

/// The layers that events say were built, in order.
fn built(events: &str) -> Vec<&str> {
    let layers = events.lines().filter(|line| is(line, "built"));
    layers.filter_map(|line| field(line, "layer")).filter(|name| LAYERS.contains(name)).collect()
}

fn is(event: &str, kind: &str) -> bool {
    event.starts_with(&format!("{{\"event\":\"{kind}\""))
}

/// A text without quotes of a flat JSON object that the host has written.
fn field<'a>(event: &'a str, name: &str) -> Option<&'a str> {
    event.split_once(&format!("\"{name}\":\""))?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_were_built_are_told_from_the_base_and_from_cached_ones() {
        let events = "{\"event\":\"cached\",\"image\":\"three\",\"layer\":\"packages\"}\n\
                      {\"event\":\"built\",\"image\":\"three\",\"layer\":\"base\"}\n\
                      {\"event\":\"built\",\"image\":\"three\",\"layer\":\"data\"}\n\
                      {\"event\":\"built\",\"image\":\"three\",\"layer\":\"note\"}\n";
        assert_eq!(built(events), ["data", "note"]);
    }
}
