use crate::args::{Args, Command, Format};
use crate::command;
use crate::driver::Driver;
use crate::recipes::Recipes;
use crate::report::Report;
use crate::sandbox;
use clap::Parser;
use kiln_engine::Error;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0.
    Done,
    /// 1. What failed has been reported.
    Failed,
    /// 2, only with `--detailed-exitcode`.
    Changes,
}

/// What a command gives back: how it ended, or every mistake that kept it from starting.
pub(crate) type Ended = Result<Exit, Vec<Error>>;

const USAGE: u8 = 64;

/// Parses the arguments, executes the command, reports, and turns the result into an exit code: 0 done,
/// 1 failed, 2 changes (with `--detailed-exitcode`), 64 usage. `drivers`: those beside the local one.
pub fn main(drivers: &[&dyn Driver]) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let report = Report::new(args.global.format == Format::Json);
    let ended = execute(&args, &report, drivers);
    match ended {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::from(1),
        Ok(Exit::Changes) => ExitCode::from(2),
        Err(errors) => {
            errors.iter().for_each(|error| report.error(error));
            ExitCode::from(1)
        }
    }
}

fn execute(args: &Args, report: &Report, drivers: &[&dyn Driver]) -> Ended {
    let local: &dyn Driver = &sandbox::Local;
    let drivers: Vec<&dyn Driver> = std::iter::once(local).chain(drivers.iter().copied()).collect();
    let builder = match &args.command {
        // An OCI image is made of layers that lie here.
        Command::Export(_) => Some(sandbox::NAME),
        _ => args.global.builder.as_deref(),
    };
    let recipes = Recipes::read(builder, args.command.names(), &drivers)?;
    if args.command.builds() {
        for (builder, _) in recipes.by_builder()? {
            recipes.driver_named(&builder)?.prepare().map_err(|error| vec![error])?;
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| vec![Error::environment("cannot start the runtime").caused_by(error)])?;
    runtime.block_on(command::execute(args, recipes, report))
}
