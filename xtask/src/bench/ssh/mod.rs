//! Kiln's SSH beside Ansible, pyinfra, scp and rsync, all against one server of OpenSSH on loopback.

mod ansible;
mod disk;
mod kiln;
mod pyinfra;
mod server;
mod tasks;
mod transfer;

use super::checkout::Checkout;
use super::measure::Finished;
use super::options::Options;
use super::place::Place;
use super::table::Row;
use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Something that does the twenty tasks.
trait Tool {
    fn name(&self) -> &'static str;

    /// The directory of the machine that its tasks fill.
    fn dest(&self) -> &Path;

    /// Does them, measured, from the first connection to the end.
    fn run(&mut self) -> Result<Finished>;
}

pub(super) fn run(
    workspace: &Workspace,
    options: &Options,
    place: &Place,
    checkout: &Checkout,
) -> Result<Vec<Row>> {
    let peers = workspace.root().join("xtask/requirements/peers.txt");
    let python = python::environment(&workspace.target().join("bench"), "peers", &peers)?;
    let bin = python.parent().context("an environment without a directory")?;
    kiln::build(checkout)?;
    // Before the server, which sees no mount that is made after it.
    let disk = disk::Journalled::mount(place)?;
    let server = server::Server::start(place)?;
    let sources = place.dir("tasks")?;
    let mut tools: Vec<Box<dyn Tool + '_>> = vec![
        Box::new(kiln::Kiln::new(place, checkout, &server, &sources)?),
        Box::new(ansible::Ansible::new(place, &server, bin, &sources)?),
        Box::new(pyinfra::Pyinfra::new(place, &server, bin, &sources)?),
    ];
    let mut rows = tasks::run(options, &sources, &mut tools)?;
    rows.extend(transfer::run(options, place, checkout, &server, &disk)?);
    Ok(rows)
}

/// Python's programs without a user's settings, and in a locale that every machine has.
fn quiet<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command.env("HOME", home).env("LC_ALL", "C.UTF-8").env_remove("SSH_AUTH_SOCK")
}
