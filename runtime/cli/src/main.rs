//! The host with the local driver: reads a Document from standard input and executes a command on it.

use std::process::ExitCode;

fn main() -> ExitCode {
    kiln_cli::main(&[])
}
