//! `cargo xtask`: sees to it that recipes and host are fresh, and hands the one's Document to the other.
//!
//! It knows nothing of images: arguments are the host's, and are passed on as they are. Its own are what
//! concerns this checkout: `ci`, `bench`.

mod bench;
mod ci;
mod fresh;
mod host;
mod invocation;
mod programs;
mod root;
mod say;
mod setup;
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
        Kind::Ci => ci::execute(&workspace, invocation.yes()),
        Kind::Help => host::help(&workspace, invocation.arguments()),
        Kind::Host { command } => {
            let is_one_of = |list: &[&str]| command.is_some_and(|command| list.contains(&command));
            if is_one_of(&host::BUILDS) {
                setup::ensure(setup::HOST.iter(), invocation.yes())?;
            }
            if is_one_of(&host::BUILDS) || is_one_of(&host::READS_STORE) {
                host::run_as_root(&workspace, invocation.arguments())
            } else {
                host::run(&workspace, invocation.arguments())
            }
        }
    }
}
