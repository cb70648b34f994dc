use super::Tool;
use super::server::Server;
use crate::bench::checkout::Checkout;
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `kiln-ssh` as the EC2 builder uses it.
pub(super) struct Kiln<'a> {
    checkout: &'a Checkout,
    server: &'a Server,
    sources: PathBuf,
    dest: PathBuf,
}

impl<'a> Kiln<'a> {
    pub(super) fn new(
        place: &Place,
        checkout: &'a Checkout,
        server: &'a Server,
        sources: &Path,
    ) -> Result<Self> {
        Ok(Self { checkout, server, sources: sources.to_owned(), dest: place.dir("kiln-dest")? })
    }
}

impl Tool for Kiln<'_> {
    fn name(&self) -> &'static str {
        "kiln"
    }

    fn dest(&self) -> &Path {
        &self.dest
    }

    fn run(&mut self) -> Result<Finished> {
        let mut command = example(self.checkout, self.server);
        measure::run(command.arg("tasks").arg(&self.sources).arg(&self.dest))
    }
}

/// Copies a file or a directory into a directory of the machine.
pub(super) fn copy(checkout: &Checkout, server: &Server, from: &Path, to: &Path) -> Command {
    let mut command = example(checkout, server);
    command.arg("copy").arg(from).arg(to);
    command
}

pub(super) fn build(checkout: &Checkout) -> Result<()> {
    checkout.build(&["build", "--release", "--package", "kiln-ssh", "--examples"])?;
    Ok(())
}

fn example(checkout: &Checkout, server: &Server) -> Command {
    let mut command = Command::new(checkout.program("release/examples/bench"));
    command.arg(format!("127.0.0.1:{}", server.port())).arg(server.host_key());
    command
}
