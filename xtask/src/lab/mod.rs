//! `cargo xtask lab`: an EC2 on this machine, brought up, looked at, and taken down.
//!
//! The lab itself is `tests/lab`. What is here gives it what it needs, starts it detached, and ends it.

mod exports;
pub(crate) mod holder;
mod needs;
mod options;
mod places;
mod up;

pub(crate) use exports::variables;
pub(crate) use needs::NEEDS;
pub(crate) use places::Places;

use crate::workspace::Workspace;
use crate::{python, root, say, setup};
use anyhow::{Context, Result, bail, ensure};
use options::{Command as Wanted, Options};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Clears away what dead labs left, of whose states the argument is the directory.
const SWEEP: &str =
    "import pathlib, sys; from kiln_lab.sweep import sweep; sweep(pathlib.Path(sys.argv[1]))";

/// Asking a lab, and clearing one away, needs no package.
const PYTHON: &str = "/usr/bin/python3";

pub(crate) fn execute(
    workspace: &Workspace,
    arguments: &[OsString],
    yes: bool,
) -> Result<ExitCode> {
    let Options { name, command } = Options::parse(arguments)?;
    let lab = Lab { sources: workspace.root().join("tests/lab"), places: Places::new(), name };
    match command {
        Wanted::Help => {
            writeln!(std::io::stdout().lock(), "{}", options::USAGE)?;
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Up { behaviour } => lab.up(&behaviour, yes),
        Wanted::Down => lab.down(),
        Wanted::Status => lab.ask(&["status"]),
        Wanted::Env => lab.ask(&["env"]),
        Wanted::Console { instance } => lab.ask(&["console", &instance]),
    }
}

struct Lab {
    sources: PathBuf,
    places: Places,
    name: String,
}

impl Lab {
    fn up(&self, behaviour: &[String], yes: bool) -> Result<ExitCode> {
        if self.places.is_up(&self.name) {
            say::line(&format!("lab `{}` is up", self.name));
            return self.ask(&["env"]);
        }
        setup::ensure(NEEDS.iter(), yes)?;
        let requirements = self.sources.join("requirements.txt");
        let python = python::environment(self.places.cache(), "lab", &requirements)?;
        let mut serve = self.module(&python.into_os_string(), &["serve"]);
        serve.arg("--name").arg(&self.name).arg("--cache").arg(self.places.cache());
        serve.args(behaviour);
        let (log, env) = (self.places.log(&self.name), self.asking(&["env"]));
        let mut up = up::start(self.as_root(PYTHON)?, &log, &serve, &env);
        // Becoming it: Ctrl-C is its business, and the shell waits until all is gone.
        Err(up.exec()).context("cannot start the lab")
    }

    /// Returns when nothing of the lab is left.
    fn down(&self) -> Result<ExitCode> {
        let lock = self.places.lock(&self.name);
        let said = match holder::of(&lock)? {
            Some(pid) => {
                self.end(pid, &lock)?;
                "is down"
            }
            None if lock.exists() => {
                let mut sweep = self.as_root(PYTHON)?;
                sweep.args(self.python_options()).args(["-c", SWEEP]).arg(self.places.state());
                let status = sweep.status().with_context(|| format!("cannot run `{PYTHON}`"))?;
                ensure!(status.success(), "what lab `{}` left is not all gone", self.name);
                "had died, and what it left is gone"
            }
            None => {
                say::line(&format!("no lab `{}` is up", self.name));
                return Ok(ExitCode::SUCCESS);
            }
        };
        let mut remove = root::command("rm")?;
        remove.arg("-f").arg(self.places.log(&self.name)).status().context("cannot run `rm`")?;
        say::line(&format!("lab `{}` {said}", self.name));
        Ok(ExitCode::SUCCESS)
    }

    /// Asks the process of a lab to close it, and waits until it has.
    fn end(&self, pid: u32, lock: &Path) -> Result<()> {
        let mut kill = root::command("kill")?;
        let sent = kill.args(["-TERM", &pid.to_string()]).status().context("cannot run `kill`")?;
        // Who gets the lock outlives the one who had it.
        let mut wait = root::command("flock")?;
        wait.arg(lock).arg("true").stderr(Stdio::null());
        let waited = wait.status().context("cannot run `flock`")?;
        match holder::of(lock)? {
            None => Ok(()),
            Some(pid) => {
                bail!("lab `{}` is still up, as process {pid}: {sent}, {waited}", self.name)
            }
        }
    }

    /// Becomes a command that looks at labs.
    fn ask(&self, arguments: &[&str]) -> Result<ExitCode> {
        if arguments[0] != "status" && !self.places.is_up(&self.name) {
            let name = &self.name;
            bail!("no lab `{name}` is up\nhelp: `cargo xtask lab up --name {name}` brings it up");
        }
        let asking = self.asking(arguments);
        let needs_root = arguments[0] == "console" || !self.may_read();
        let mut command = if needs_root { self.as_root(PYTHON)? } else { Command::new(PYTHON) };
        command.current_dir(&self.sources).args(asking.get_args());
        Err(command.exec()).context("cannot ask the lab")
    }

    fn asking(&self, arguments: &[&str]) -> Command {
        let mut command = self.module(&PYTHON.into(), arguments);
        if arguments[0] != "status" {
            command.arg("--name").arg(&self.name);
        }
        command
    }

    /// `python -m kiln_lab …`, for the directory of its sources.
    fn module(&self, python: &OsString, arguments: &[&str]) -> Command {
        let mut command = Command::new(python);
        command.args(self.python_options()).args(["-m", "kiln_lab"]).args(arguments);
        command.arg("--state").arg(self.places.state());
        command
    }

    /// Compiled modules of root have no place in a checkout.
    fn python_options(&self) -> [String; 2] {
        let cache = self.places.cache().join("pycache");
        ["-X".to_owned(), format!("pycache_prefix={}", cache.display())]
    }

    fn as_root(&self, program: &str) -> Result<Command> {
        let mut command = root::command(program)?;
        command.current_dir(&self.sources);
        Ok(command)
    }

    /// Whether this user may read what labs say of themselves, or there is nothing to read.
    fn may_read(&self) -> bool {
        let denied = |path: PathBuf| {
            File::open(path)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        !denied(self.places.state().to_owned()) && !denied(self.places.description(&self.name))
    }
}
