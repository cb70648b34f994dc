use super::Tool;
use super::lab::Lab;
use crate::bench::checkout::Checkout;
use crate::bench::cloud::Cloud;
use crate::bench::measure::{self, Finished, Sample};
use crate::bench::place::Place;
use crate::say;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The page of the example `web`.
const PAGE: &str = "recipes/files/web/site/index.html";

/// `kiln-host-ec2 deploy` of the example `production`, with its Document on standard input. Both images are baked before.
pub(super) struct Kiln<'a> {
    checkout: &'a Checkout,
    cloud: &'a Cloud,
    store: PathBuf,
    document: String,
    address: String,
    page: String,
    amis: [String; 2],
}

/// A text that only one of the two pages has.
pub(super) fn mark(round: usize) -> String {
    format!("page {}", (round + 1) % 2)
}

impl<'a> Kiln<'a> {
    /// Brings the example back, compiles everything, bakes both images and deploys the one.
    pub(super) fn new(
        workspace: &Workspace,
        place: &Place,
        checkout: &'a Checkout,
        cloud: &'a Cloud,
        lab: &Lab,
    ) -> Result<Self> {
        checkout.restore_recipes(workspace)?;
        say::line("bench: the host with EC2's driver, minutes when it was never compiled here");
        checkout.build(&["build", "--release", "--package", "kiln-host-ec2"])?;
        let page = std::fs::read_to_string(checkout.root().join(PAGE)).context("no page")?;
        let mut kiln = Self {
            checkout,
            cloud,
            store: place.dir("switch-store")?,
            document: checkout.document()?,
            address: String::new(),
            page,
            amis: [String::new(), String::new()],
        };
        kiln.run(&["update", "web", "--builder", "ec2"])?;
        for (round, at) in [(0, 1), (1, 0)] {
            kiln.prepare(round)?;
            let baked = kiln.run(&["bake", "web", "--builder", "ec2", "--format", "json"])?;
            kiln.amis[at] = ami(&baked.stdout)?;
        }
        kiln.deploy()?;
        let status = lab.status()?;
        let address = status["balancers"][0]["address"].as_str();
        kiln.address = address.context("nothing stands before the servers")?.to_owned();
        Ok(kiln)
    }

    /// Those of the pages of even and of odd rounds' marks.
    pub(super) fn amis(&self) -> [String; 2] {
        self.amis.clone()
    }

    fn run(&self, arguments: &[&str]) -> Result<Finished> {
        let mut host = Command::new(self.checkout.program("release/kiln-host-ec2"));
        host.args(arguments).arg("--store").arg(&self.store);
        host.current_dir(self.checkout.root()).envs(self.cloud.environment());
        measure::run_with_input(&mut host, &self.document)
    }
}

impl Tool for Kiln<'_> {
    fn name(&self) -> &'static str {
        "kiln-host-ec2 deploy"
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn prepare(&mut self, round: usize) -> Result<String> {
        let page = format!("{}\n<!-- {} -->\n", self.page, mark(round));
        std::fs::write(self.checkout.root().join(PAGE), page).context("cannot change the page")?;
        Ok(mark(round))
    }

    fn deploy(&mut self) -> Result<Sample> {
        Ok(self.run(&["deploy", "--yes"])?.sample)
    }

    fn tidy(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The AMI that a bake says it has.
fn ami(events: &str) -> Result<String> {
    let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut images = events.filter(|event| event["event"] == "image");
    let ami = images.find_map(|event| Some(event["artifact"].as_str()?.to_owned()));
    ami.context("nothing was baked")
}
