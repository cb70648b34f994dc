use super::case::{Case, ROUND};
use super::{DOCKERFILE, Tool};
use crate::bench::daemon::Daemon;
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// That of the package, which is as old as its daemon: a newer one on `PATH` may want a plugin.
const CLIENT: &str = "/usr/bin/docker";

/// BuildKit inside a `dockerd` of our own.
pub(super) struct BuildKit {
    daemon: Daemon,
    socket: PathBuf,
    context: PathBuf,
    config: PathBuf,
}

impl BuildKit {
    /// Starts the daemon and gives it the base.
    pub(super) fn start(place: &Place, base: &Path) -> Result<Self> {
        let dir = place.dir("docker")?;
        let (socket, context) = (dir.join("socket"), place.dir("docker-context")?);
        let config = place.dir("docker-config")?;
        let program = crate::programs::find("dockerd").context("there is no `dockerd`")?;
        let mut dockerd = Command::new(program);
        dockerd.arg("--data-root").arg(dir.join("data"));
        dockerd.arg("--exec-root").arg(dir.join("exec"));
        dockerd.arg("--pidfile").arg(dir.join("pid"));
        dockerd.arg("--host").arg(format!("unix://{}", socket.display()));
        // No step needs a network, so the host's stays as it is.
        dockerd.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        let daemon = Daemon::start(&dockerd, &dir.join("log"))?;
        let buildkit = Self { daemon, socket, context, config };
        buildkit.daemon.until_ready(|| measure::run(&mut buildkit.docker(&["version"])).is_ok())?;
        measure::run(buildkit.docker(&["import"]).arg(base).arg("kiln-bench-base"))?;
        std::fs::write(buildkit.context.join("Dockerfile"), DOCKERFILE)?;
        std::fs::write(buildkit.context.join("note"), "zero\n")?;
        Ok(buildkit)
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CLIENT);
        command.args(arguments).env("DOCKER_BUILDKIT", "1");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        // The user's may name contexts and plugins.
        command.env("DOCKER_CONFIG", &self.config);
        command
    }
}

impl Tool for BuildKit {
    fn name(&self) -> &'static str {
        "BuildKit"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        change(&self.context, case, round)
    }

    fn build(&mut self) -> Result<Finished> {
        let mut build =
            self.docker(&["build", "--network=none", "--progress=plain", "--tag", "seven"]);
        measure::run(build.arg(&self.context))
    }

    fn built(&self, finished: &Finished) -> Result<usize> {
        // `#7 [3/8] RUN …`, and later `#7 CACHED` or `#7 DONE 0.1s`. The first of the eight is the base.
        let mut steps: Vec<&str> = Vec::new();
        let mut cached = 0;
        for line in finished.stderr.lines() {
            let Some((number, rest)) = line.split_once(' ') else { continue };
            let is_step =
                rest.starts_with('[') && rest.contains("/8] ") && !rest.starts_with("[1/");
            if is_step && !steps.contains(&number) {
                steps.push(number);
            }
            cached += usize::from(rest == "CACHED" && steps.contains(&number));
        }
        anyhow::ensure!(
            steps.len() == 7,
            "BuildKit showed {} steps:\n{}",
            steps.len(),
            finished.stderr
        );
        Ok(steps.len() - cached)
    }

    fn content(&self, _: &Finished) -> Result<String> {
        let run = ["run", "--rm", "--network", "none", "seven", "cat", "/srv/note", "/srv/sum"];
        Ok(measure::run(&mut self.docker(&run))?.stdout)
    }

    fn forget_memory(&self) -> Result<()> {
        self.daemon.forget_memory()
    }

    fn daemons_kib(&self) -> Result<u64> {
        self.daemon.peak_kib()
    }
}

/// Changes a directory with a Dockerfile.
pub(super) fn change(context: &Path, case: Case, round: &str) -> Result<()> {
    match case {
        Case::Nothing => Ok(()),
        Case::Note => std::fs::write(context.join("note"), format!("{round}\n")),
        Case::First => {
            let text = DOCKERFILE.replace(ROUND, &format!("round {round}"));
            std::fs::write(context.join("Dockerfile"), text)
        }
    }
    .context("cannot change what is built")
}
