use super::case::{Case, ROUND};
use super::{Tool, write_note};
use crate::bench::cloud::Cloud;
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

const TEMPLATE: &str = include_str!("template.json.in");

/// Packer's builder `amazon-ebs`. It knows no layers: whatever changed, it bakes all.
pub(super) struct Packer {
    dir: PathBuf,
    template: String,
}

impl Packer {
    pub(super) fn new(place: &Place, source: String) -> Result<Self> {
        let packer =
            Self { dir: place.dir("packer")?, template: TEMPLATE.replace("SOURCE", &source) };
        std::fs::write(packer.dir.join("template.json"), &packer.template)?;
        write_note(&packer.dir, "zero")?;
        Ok(packer)
    }
}

impl Tool for Packer {
    fn name(&self) -> &'static str {
        "Packer"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        match case {
            Case::Nothing => Ok(()),
            Case::Last => write_note(&self.dir, round),
            Case::Everything => {
                let text = self.template.replace(ROUND, &format!("round {round}"));
                std::fs::write(self.dir.join("template.json"), text)
                    .context("cannot edit the template")
            }
        }
    }

    fn bake(&mut self, cloud: &Cloud) -> Result<Finished> {
        let mut command = Command::new("packer");
        command.args(["build", "-machine-readable", "template.json"]).current_dir(&self.dir);
        // It asks as often as it can: its own pace is that of EC2's real latencies.
        command.env("AWS_POLL_DELAY_SECONDS", "1").env("CHECKPOINT_DISABLE", "1");
        command.env("HOME", &self.dir).env("PACKER_CACHE_DIR", self.dir.join("cache"));
        measure::run(command.envs(cloud.environment()))
    }

    fn ami(&self, _: Case, finished: &Finished) -> Result<String> {
        artifact(&finished.stdout)
            .with_context(|| format!("Packer names no AMI:\n{}", finished.stdout))
    }
}

/// Of lines like `1600000000,amazon-ebs,artifact,0,id,eu-west-1:ami-0123`.
fn artifact(output: &str) -> Option<String> {
    let id = output.lines().find_map(|line| line.split_once(",artifact,0,id,"))?.1;
    Some(id.split_once(':')?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ami_is_that_of_the_artifact() {
        let output = "1,,ui,say,==> ami-1\n2,amazon-ebs,artifact,0,id,eu-west-1:ami-2\n";
        assert_eq!(artifact(output).as_deref(), Some("ami-2"));
        assert_eq!(artifact("1,,ui,say,==> ami-1\n"), None);
    }
}
