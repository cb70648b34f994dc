use super::Tool;
use super::kiln::mark;
use crate::bench::cloud::Cloud;
use crate::bench::measure::{self, Finished, Sample};
use crate::lab::Places;
use crate::python;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

const SET_UP: &str = include_str!("set_up.sh");
const DEPLOY: &str = include_str!("deploy.sh");
const TIDY: &str = include_str!("tidy.sh");

/// A script of `aws` commands, which wait by `aws … wait`: the same servers of the same AMIs, behind a load balancer of their
/// own that asks the same.
pub(super) struct ByHand<'a> {
    cloud: &'a Cloud,
    /// Where `aws` is.
    programs: PathBuf,
    address: String,
    amis: [String; 2],
    round: usize,
    /// How many groups there were.
    groups: u32,
}

impl<'a> ByHand<'a> {
    /// Makes everything, with servers of the AMI that the first round replaces.
    pub(super) fn new(workspace: &Workspace, cloud: &'a Cloud, amis: [String; 2]) -> Result<Self> {
        let requirements = workspace.root().join("xtask/requirements/awscli.txt");
        let python = python::environment(Places::new().cache(), "awscli", &requirements)?;
        let programs = python.with_file_name("");
        let address = String::new();
        let mut by_hand = Self { cloud, programs, address, amis, round: 0, groups: 1 };
        let made = by_hand.run(SET_UP, &[&by_hand.amis[0], "by-hand-1"])?;
        by_hand.address = made.stdout.trim().to_owned();
        Ok(by_hand)
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Result<Finished> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", script, "by-hand"]).args(arguments);
        bash.env("PATH", format!("{}:{path}", self.programs.display()));
        measure::run(bash.env("AWS_PAGER", "").envs(self.cloud.environment()))
    }

    fn names(&self) -> [String; 2] {
        [format!("by-hand-{}", self.groups), format!("by-hand-{}", self.groups + 1)]
    }
}

impl Tool for ByHand<'_> {
    fn name(&self) -> &'static str {
        "aws, by a script"
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn prepare(&mut self, round: usize) -> Result<String> {
        self.round = round;
        Ok(mark(round))
    }

    fn deploy(&mut self) -> Result<Sample> {
        let [old, new] = self.names();
        Ok(self.run(DEPLOY, &[&self.amis[(self.round + 1) % 2], &old, &new])?.sample)
    }

    fn tidy(&mut self) -> Result<()> {
        let [old, _] = self.names();
        self.groups += 1;
        self.run(TIDY, &[&old]).map(drop)
    }
}
