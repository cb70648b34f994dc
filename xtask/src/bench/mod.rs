//! `cargo xtask bench`: how fast Kiln is, beside BuildKit, buildah, `b3sum`, Packer, Terraform, Ansible, pyinfra,
//! scp and rsync, all in one run.
//!
//! What is compared runs in turn (A B C A B C …), so that a busy moment hits all of them. Each build is
//! checked for having built exactly what it should have. Daemons end, and files go, also after a failure.

mod checkout;
mod clone;
mod cloud;
mod daemon;
mod deployments;
mod ec2;
mod edit;
mod hashing;
mod machine;
mod measure;
mod needs;
mod options;
mod place;
mod planning;
mod seven;
mod ssh;
mod table;

use crate::workspace::Workspace;
use crate::{root, say, setup};
use anyhow::{Context, Result, bail};
use checkout::Checkout;
use options::Options;
use place::Place;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use table::Row;

/// Measures, and prints one table. The exit code says whether every target was met.
pub(crate) fn execute(
    workspace: &Workspace,
    arguments: &[OsString],
    yes: bool,
) -> Result<ExitCode> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        writeln!(std::io::stdout().lock(), "{}", options::USAGE)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse(arguments)?;
    if !root::is_root() {
        bail!("`bench` starts daemons and mounts\nhelp: run it as root");
    }
    let in_lab = ["ec2", "deployments", "deploys"].iter().any(|group| options.wants(group));
    let labs = in_lab.then_some(crate::lab::NEEDS);
    let packer = options.wants("ec2").then_some(needs::EC2);
    let ssh = options.wants("ssh").then_some(needs::SSH);
    let needs = setup::HOST.iter().chain(needs::NEEDS);
    let needs = needs.chain(labs.into_iter().flatten()).chain(packer.into_iter().flatten());
    setup::ensure(needs.chain(ssh.into_iter().flatten()), yes)?;
    if options.wants("ssh") {
        setup::ssh_server(yes)?;
    }
    let b3sum = options.wants("hashing").then(|| needs::b3sum(workspace)).transpose()?;
    let place = Place::new()?;
    let checkout = Checkout::copy(workspace)?;
    let machine = machine::describe()?;

    let mut rows = Vec::new();
    let outcome = all(workspace, &options, &place, &checkout, b3sum.as_deref(), &mut rows);
    // Also what was measured before a failure.
    let text = format!("{machine}\n\n{}", table::markdown(&rows));
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot print the table")?;
    if let Some(path) = &options.json {
        std::fs::write(path, table::json(&machine, &rows))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    outcome?;
    let missed = rows.iter().flat_map(|row| &row.targets).filter(|target| !target.met).count();
    if missed > 0 {
        say::line(&format!("{missed} targets are missed"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn all(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
    b3sum: Option<&Path>,
    rows: &mut Vec<Row>,
) -> Result<()> {
    if options.wants("seven") {
        rows.extend(seven::run(options, place, checkout)?);
    }
    if options.wants("planning") {
        rows.extend(planning::run(options, checkout)?);
    }
    if let Some(b3sum) = b3sum {
        rows.extend(hashing::run(options, place, checkout, b3sum)?);
    }
    if options.wants("edit") {
        rows.extend(edit::run(options, workspace.root(), checkout)?);
    }
    if options.wants("ssh") {
        rows.extend(ssh::run(workspace, options, place, checkout)?);
    }
    if options.wants("ec2") {
        rows.extend(ec2::run(workspace, options, place, checkout)?);
    }
    if options.wants("deployments") {
        rows.extend(deployments::run(workspace, options, place, checkout)?);
    } else if options.wants("deploys") {
        rows.extend(deployments::deploys(workspace, options, place, checkout)?);
    }
    if options.fresh_clone {
        rows.extend(clone::run(workspace, place)?);
    }
    Ok(())
}

/// A number, or the only one of a list, in a JSON object of one level.
fn number(json: &str, name: &str) -> Result<f64> {
    let value =
        json.split_once(&format!("\"{name}\":")).map(|(_, value)| value.trim_start_matches('['));
    let end = |char: char| !(char.is_ascii_digit() || "+-.e".contains(char));
    let value = value.and_then(|value| value.split(end).next()?.parse().ok());
    value.with_context(|| format!("no `{name}` in: {json}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_alone_or_in_a_list() {
        let json = r#"{"ms":12.5,"cold_ms":[3.25e2],"n":7}"#;
        assert_eq!(number(json, "ms").unwrap(), 12.5);
        assert_eq!(number(json, "cold_ms").unwrap(), 325.0);
        assert_eq!(number(json, "n").unwrap(), 7.0);
        assert!(number(json, "warm_ms").is_err());
    }
}
