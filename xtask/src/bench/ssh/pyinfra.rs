use super::server::Server;
use super::tasks::{FILES, MODE, line};
use super::{Tool, quiet};
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// pyinfra as it comes.
pub(super) struct Pyinfra {
    program: PathBuf,
    dir: PathBuf,
    dest: PathBuf,
}

impl Pyinfra {
    pub(super) fn new(place: &Place, server: &Server, bin: &Path, sources: &Path) -> Result<Self> {
        let (dir, dest) = (place.dir("pyinfra")?, place.dir("pyinfra-dest")?);
        let inventory = format!(
            "targets = [('127.0.0.1', {{'ssh_port': {}, 'ssh_user': 'root', 'ssh_key': '{}',\n\
             'ssh_known_hosts_file': '{}', 'ssh_strict_host_key_checking': 'yes'}})]\n",
            server.port(),
            server.key().display(),
            server.known_hosts().display(),
        );
        std::fs::write(dir.join("inventory.py"), inventory)?;
        let mut deploy = "from pyinfra.operations import files, server\n".to_owned();
        for file in 0..FILES {
            let (from, to) = (sources.display(), dest.display());
            let _ = writeln!(
                deploy,
                "files.put(src='{from}/{file}', dest='{to}/{file}', mode='{MODE:o}')\n\
                 server.shell(commands='{}')",
                line(&dest, file)
            );
        }
        std::fs::write(dir.join("deploy.py"), deploy)?;
        Ok(Self { program: bin.join("pyinfra"), dir, dest })
    }
}

impl Tool for Pyinfra {
    fn name(&self) -> &'static str {
        "pyinfra"
    }

    fn dest(&self) -> &Path {
        &self.dest
    }

    fn run(&mut self) -> Result<Finished> {
        let mut command = Command::new(&self.program);
        command.args(["--yes", "inventory.py", "deploy.py"]).current_dir(&self.dir);
        measure::run(quiet(&mut command, &self.dir))
    }
}
