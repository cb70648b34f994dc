//! The host with the local driver and EC2's: reads a Document from standard input and executes a command
//! on it.

mod driver;
mod site;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    kiln_cli::main(&[&driver::Amazon::default()])
}
