//! `cargo xtask`: sees to it that recipes and host are fresh, and hands the one's Document to the other.
//!
//! It knows nothing of images: arguments are the host's, and are passed on as they are. Its own are what
//! concerns this checkout: `ci`, `bench`, `lab`, `rehearse`.

mod bench;
mod ci;
mod document;
mod drivers;
mod fresh;
mod host;
mod invocation;
mod lab;
mod programs;
mod python;
mod rehearse;
mod root;
mod say;
mod setup;
mod store;
mod workspace;

use invocation::{Invocation, Kind};
use std::process::ExitCode;
use workspace::Workspace;

fn main() -> ExitCode {
    match execute() {
        Ok(code) => code,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn execute() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let invocation = Invocation::new(std::env::args_os().skip(1).collect());
    match invocation.kind() {
        Kind::Bench => bench::execute(&workspace, invocation.arguments(), invocation.yes()),
        Kind::Ci => ci::execute(&workspace, invocation.arguments(), invocation.yes()),
        Kind::Lab => lab::execute(&workspace, invocation.arguments(), invocation.yes()),
        Kind::Rehearse => rehearse::execute(&workspace, invocation.arguments(), invocation.yes()),
        Kind::Help => host::help(&workspace, &invocation),
        Kind::Host { command } => host::run(&workspace, &invocation, command),
    }
}
