//! The commands of deployments as processes, with servers that are lines of a file.
//!
//! Rendering, arguments, exit codes, plans on disk, leases. That servers really start, serve and end is tested in the
//! lab, with the host of EC2.
//!
//! This program is the host, too: with `KILN_TEST_WORLD` it is one with the driver of [`world`].

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod cases;
mod host;
mod places;
mod shared;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os(world::FILE).is_some() {
        return kiln_cli::main(&[&world::Fake]);
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let all = || cases::ALL.iter().chain(places::ALL).chain(shared::ALL);
    let chosen: Vec<_> = all().filter(|(name, _)| is_wanted(name)).collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = 0;
    for (name, case) in &chosen {
        let ended = std::panic::catch_unwind(case);
        failed += usize::from(ended.is_err());
        println!("test {name} ... {}", if ended.is_ok() { "ok" } else { "FAILED" });
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    let (passed, left) = (chosen.len() - failed, all().count() - chosen.len());
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {left} filtered out; \
         finished in 0.00s\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
