use super::Sample;
use crate::bench::measure;
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

/// `terraform plan` on as many `terraform_data` as wanted. They are built in: no provider is downloaded or asked.
pub(super) struct Terraform {
    program: PathBuf,
    dir: PathBuf,
}

impl Terraform {
    /// Writes configuration and state: each resource spelled out, as a Document has its deployments, and the state
    /// as `terraform apply` leaves it. Making ten thousand with `apply` takes ten minutes, and is nobody's measure here; that
    /// nothing differs is what [`Self::plan`] demands.
    pub(super) fn new(program: PathBuf, dir: PathBuf, resources: usize) -> Result<Self> {
        std::fs::write(dir.join("main.tf"), configuration(resources))?;
        std::fs::write(dir.join("terraform.tfstate"), state(resources))?;
        let terraform = Self { program, dir };
        measure::run(terraform.command().args(["init", "-no-color", "-input=false"]))?;
        Ok(terraform)
    }

    /// # Errors
    /// When it finds something to do.
    pub(super) fn plan(&self) -> Result<Sample> {
        let mut plan = self.command();
        // With the exit code of its own for changes, which `measure` takes for a failure.
        plan.args(["plan", "-input=false", "-no-color", "-detailed-exitcode"]);
        let finished = measure::run(&mut plan).context("terraform finds something to do")?;
        ensure!(finished.stdout.contains("No changes"), "another plan:\n{}", finished.stdout);
        Ok(finished.sample)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Neither the user's settings nor a question for newer versions.
        command.env("TF_CLI_CONFIG_FILE", "/dev/null").env("CHECKPOINT_DISABLE", "1");
        command.current_dir(&self.dir);
        command
    }
}

fn configuration(resources: usize) -> String {
    (0..resources).fold(String::new(), |mut text, number| {
        let _ = writeln!(
            text,
            "resource \"terraform_data\" \"node_{number}\" {{\n  input = \"node {number}\"\n}}"
        );
        text
    })
}

fn state(resources: usize) -> String {
    let resource = |number: usize| {
        format!(
            r#"{{"mode":"managed","type":"terraform_data","name":"node_{number}",
"provider":"provider[\"terraform.io/builtin/terraform\"]",
"instances":[{{"schema_version":0,"attributes":{{"id":"00000000-0000-4000-8000-{number:012}",
"input":{{"value":"node {number}","type":"string"}},"output":{{"value":"node {number}","type":"string"}},
"triggers_replace":null}},"sensitive_attributes":[]}}]}}"#
        )
    };
    let resources: Vec<String> = (0..resources).map(resource).collect();
    format!(
        r#"{{"version":4,"terraform_version":"1.1.0","serial":1,"lineage":"00000000-0000-4000-8000-000000000000",
"outputs":{{}},"resources":[{}],"check_results":null}}"#,
        resources.join(",\n")
    )
}
