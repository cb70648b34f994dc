use crate::bench::checkout::Checkout;
use crate::bench::cloud::Cloud;
use crate::bench::machine;
use crate::bench::measure::{self, Finished, Sample};
use crate::bench::place::Place;
use crate::say;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

const RECIPES: &str = include_str!("recipes.rs.in");

/// `kiln-host-ec2 plan` in a lab that has every group of the recipes, with the Document on its standard input: its start, all
/// that the engine does, and asking for what runs, which the lab answers as slowly as a program in Python does.
pub(super) struct Host<'a> {
    checkout: &'a Checkout,
    cloud: Cloud,
    store: PathBuf,
    document: String,
}

impl<'a> Host<'a> {
    /// Replaces the recipes, compiles everything, bakes and deploys once.
    pub(super) fn new(
        cloud: Cloud,
        place: &Place,
        checkout: &'a Checkout,
        deployments: usize,
    ) -> Result<Self> {
        say::line("bench: the host with EC2's driver, minutes when it was never compiled here");
        let count = format!("const DEPLOYMENTS: usize = {deployments};");
        let recipes = RECIPES.replace("const DEPLOYMENTS: usize = 1_000;", &count);
        ensure!(recipes.contains(&count), "the recipes of the bench have another form");
        checkout.replace_recipes(&recipes)?;
        checkout.build(&["build", "--release", "--package", "kiln-host-ec2"])?;
        let document = checkout.document()?;
        let host = Self { checkout, cloud, store: place.dir("deployments-store")?, document };
        host.run(&["update", "tiny", "--builder", "ec2"])?;
        say::line(&format!(
            "bench: {deployments} deployments in a lab, once: minutes for a thousand"
        ));
        host.run(&["deploy", "--yes"])?;
        Ok(host)
    }

    /// # Errors
    /// When it finds something to do.
    pub(super) fn plan(&self) -> Result<Sample> {
        // With the exit code of its own for changes, which `measure` takes for a failure.
        let finished = self.run(&["plan", "--detailed-exitcode"])?;
        ensure!(finished.stdout.contains("No changes"), "another plan:\n{}", finished.stdout);
        Ok(finished.sample)
    }

    fn run(&self, arguments: &[&str]) -> Result<Finished> {
        let mut host = Command::new(self.checkout.program("release/kiln-host-ec2"));
        host.args(arguments).arg("--store").arg(&self.store);
        host.current_dir(self.checkout.root()).envs(self.cloud.environment());
        let shown = arguments.join(" ");
        measure::run_with_input(&mut host, &self.document)
            .with_context(|| format!("`{shown}` failed, at a load of {}", machine::load()))
    }
}
