use super::place::Place;
use crate::lab::{self, Places};
use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A lab of the benchmark's own. It closes when this is dropped, and also when this program is killed.
pub(super) struct Cloud {
    child: Child,
    python: PathBuf,
    environment: Vec<(String, String)>,
}

impl Cloud {
    /// Brings it up, with flags of `cargo xtask lab up`.
    pub(super) fn start(workspace: &Workspace, place: &Place, flags: &[&str]) -> Result<Self> {
        let sources = workspace.root().join("tests/lab");
        let (places, state) = (Places::new(), place.dir("labs")?);
        let requirements = sources.join("requirements.txt");
        let python = python::environment(places.cache(), "lab", &requirements)?;
        let module = |mut command: Command, name: &str| {
            command.current_dir(&sources).args(["-m", "kiln_lab", name, "--name", "bench"]);
            // Compiled modules have no place in a checkout.
            command.env("PYTHONPYCACHEPREFIX", places.cache().join("pycache"));
            command.arg("--state").arg(&state);
            command
        };
        let log = state.join("bench.log");
        let mut mortal = Command::new("setpriv");
        mortal.args(["--pdeathsig", "TERM", "--"]).arg(&python);
        let mut serve = module(mortal, "serve");
        serve.arg("--cache").arg(places.cache()).args(flags).stdin(Stdio::null());
        serve.stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = serve.spawn().context("cannot run `setpriv`")?;
        let mut ready = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut ready).context("cannot hear the lab")?;
        }
        let mut cloud = Self { child, python, environment: Vec::new() };
        if ready.is_empty() {
            bail!("the lab did not come up:\n{}", std::fs::read_to_string(&log)?);
        }
        let mut env = module(Command::new(&cloud.python), "env");
        let exports = env.output().context("cannot ask the lab")?;
        cloud.environment = lab::variables(&String::from_utf8_lossy(&exports.stdout));
        Ok(cloud)
    }

    /// What points AWS tools at it.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The Python that has what the lab runs on.
    pub(super) fn python(&self) -> &Path {
        &self.python
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // `kill` of the standard library would not let it close.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
