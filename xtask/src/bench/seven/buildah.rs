use super::buildkit::change;
use super::case::Case;
use super::{DOCKERFILE, Tool};
use crate::bench::measure::{self, Finished};
use crate::bench::place::Place;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// buildah with a storage of its own, its layers cached, its steps in `runc` (`crun` refuses some hosts).
pub(super) struct Buildah {
    storage: PathBuf,
    context: PathBuf,
}

impl Buildah {
    /// Gives it the base.
    pub(super) fn new(place: &Place, base: &Path) -> Result<Self> {
        let buildah =
            Self { storage: place.dir("buildah")?, context: place.dir("buildah-context")? };
        measure::run(&mut buildah.command(&["from", "--name", "import", "scratch"]))?;
        measure::run(buildah.command(&["add", "--quiet", "import"]).arg(base).arg("/"))?;
        measure::run(&mut buildah.command(&[
            "commit",
            "--quiet",
            "--rm",
            "import",
            "kiln-bench-base",
        ]))?;
        std::fs::write(buildah.context.join("Dockerfile"), DOCKERFILE)?;
        std::fs::write(buildah.context.join("note"), "zero\n")?;
        Ok(buildah)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Overlays are mounted where nobody else sees them, and are gone with the command.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "buildah", "--root"]);
        command.arg(self.storage.join("root")).arg("--runroot").arg(self.storage.join("run"));
        command.args(["--storage-driver", "overlay"]).args(arguments);
        command
    }
}

impl Tool for Buildah {
    fn name(&self) -> &'static str {
        "buildah"
    }

    fn change(&mut self, case: Case, round: &str) -> Result<()> {
        change(&self.context, case, round)
    }

    fn build(&mut self) -> Result<Finished> {
        let mut build =
            self.command(&["build", "--layers", "--isolation", "oci", "--runtime", "runc"]);
        build.args(["--network", "none", "--pull-never", "--tag", "seven"]);
        measure::run(build.arg(&self.context))
    }

    fn built(&self, finished: &Finished) -> Result<usize> {
        // `STEP 2/8: RUN …`, and below it `--> Using cache …`. The first of the eight is the base.
        let lines = || finished.stdout.lines().chain(finished.stderr.lines());
        let steps =
            lines().filter(|line| line.starts_with("STEP ") && line.contains("/8: ")).count();
        let cached = lines().filter(|line| line.starts_with("--> Using cache")).count();
        anyhow::ensure!(steps == 8, "buildah showed {steps} steps:\n{}", finished.stdout);
        Ok(7 - cached)
    }

    fn content(&self, _: &Finished) -> Result<String> {
        measure::run(&mut self.command(&["from", "--pull-never", "--name", "look", "seven"]))?;
        let mut look =
            self.command(&["run", "--isolation", "oci", "--runtime", "runc", "--network", "none"]);
        let content =
            measure::run(look.args(["look", "--", "cat", "/srv/note", "/srv/sum"]))?.stdout;
        measure::run(&mut self.command(&["rm", "look"]))?;
        Ok(content)
    }
}
