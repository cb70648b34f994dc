use super::server::Server;
use super::tasks::{FILES, MODE, line};
use super::{Tool, quiet};
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ansible as its users speed it up: pipelining on, the connection kept, no facts gathered.
pub(super) struct Ansible {
    program: PathBuf,
    dir: PathBuf,
    dest: PathBuf,
}

impl Ansible {
    pub(super) fn new(place: &Place, server: &Server, bin: &Path, sources: &Path) -> Result<Self> {
        let (dir, dest) = (place.dir("ansible")?, place.dir("ansible-dest")?);
        std::fs::write(dir.join("ansible.cfg"), "[ssh_connection]\npipelining = True\n")?;
        let inventory = format!(
            "target ansible_host=127.0.0.1 ansible_port={} ansible_user=root \
             ansible_ssh_private_key_file={} ansible_python_interpreter=/usr/bin/python3 \
             ansible_ssh_common_args='-F none -o IdentitiesOnly=yes -o UserKnownHostsFile={}'\n",
            server.port(),
            server.key().display(),
            server.known_hosts().display(),
        );
        std::fs::write(dir.join("inventory"), inventory)?;
        let mut play = "- hosts: target\n  gather_facts: false\n  tasks:\n".to_owned();
        for file in 0..FILES {
            let (from, to) = (sources.display(), dest.display());
            let _ = writeln!(
                play,
                "    - copy: {{ src: {from}/{file}, dest: {to}/{file}, mode: '{MODE:04o}' }}\n    \
                 - shell: {}",
                line(&dest, file)
            );
        }
        std::fs::write(dir.join("play.yml"), play)?;
        Ok(Self { program: bin.join("ansible-playbook"), dir, dest })
    }
}

impl Tool for Ansible {
    fn name(&self) -> &'static str {
        "Ansible, pipelining"
    }

    fn dest(&self) -> &Path {
        &self.dest
    }

    fn run(&mut self) -> Result<Finished> {
        let mut command = Command::new(&self.program);
        command.args(["--inventory", "inventory", "play.yml"]).current_dir(&self.dir);
        measure::run(quiet(&mut command, &self.dir))
    }
}
