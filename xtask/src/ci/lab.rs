//! The lab's own tests, other tools against it, and Kiln's driver of EC2 in it.

use super::tally::Tally;
use super::tests;
use crate::lab::Places;
use crate::workspace::Workspace;
use crate::{python, root};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The packages that reach EC2's SDK. Compiled optimised, as the host is that they are tested through: the SDK
/// is compiled once.
pub(super) const REACH_EC2: [&str; 2] = ["kiln-ec2", "kiln-host-ec2"];

/// Tests that are run at the same time, each with a lab of its own: most of the time they wait, for health checks and for
/// requests to be answered.
const LABS: &str = "2";

/// What the tests of the lab run in.
pub(super) struct Lab {
    sources: PathBuf,
    cache: PathBuf,
    python: PathBuf,
    /// Where `aws` is.
    tools: PathBuf,
}

impl Lab {
    /// Makes Python's environments.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        let cache = Places::new().cache().to_owned();
        let sources = workspace.root().join("tests/lab");
        let python = python::environment(&cache, "lab", &sources.join("requirements.txt"))?;
        let tools = workspace.root().join("xtask/requirements/awscli.txt");
        let tools = python::environment(&cache, "awscli", &tools)?;
        let tools = tools.parent().context("an environment without a directory")?.to_owned();
        Ok(Self { sources, cache, python, tools })
    }

    /// The lab's tests: its control plane with imagined machines, and its machines. Side by side: the former wait most of
    /// their time, and have nothing on this machine that the others could meet.
    pub(super) fn unit(&self, tally: &mut Tally) -> Result<()> {
        let mut of_control = Tally::default();
        let (control, machines) = std::thread::scope(|scope| {
            let control = scope.spawn(|| self.unittest("control_tests", &mut of_control));
            let machines = self.unittest("tests", tally);
            (control.join(), machines)
        });
        tally.add(of_control);
        control.unwrap_or_else(|_| bail!("lost a thread")).and(machines)
    }

    /// `aws` and Packer, unchanged, against a lab.
    pub(super) fn acceptance(&self, tally: &mut Tally) -> Result<()> {
        self.unittest("acceptance", tally)
    }

    /// The driver, and the host with it, each against labs that the tests bring up.
    pub(super) fn ec2(&self, workspace: &Workspace, tally: &mut Tally) -> Result<()> {
        let mut command = workspace.cargo_command(&["test", "--release", "--no-fail-fast"]);
        command.args(REACH_EC2.map(|package| ["--package", package]).as_flattened());
        command.envs(self.variables());
        if !root::is_root() {
            command.args(["--config", tests::RUNNER]);
        }
        command.args(["--", "--test-threads", LABS]);
        tests::counted(command, tally)
    }

    fn unittest(&self, folder: &str, tally: &mut Tally) -> Result<()> {
        // `env`, because `sudo` drops variables.
        let mut command = root::command("env")?;
        let assign = |(name, value): (&str, OsString)| {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            word
        };
        command.args(self.variables().map(assign)).arg(&self.python);
        command.args(["-m", "unittest", "discover", "--verbose", "--top-level-directory", "."]);
        command.args(["--start-directory", folder]).current_dir(&self.sources);
        tests::counted(command, tally)
    }

    /// What tests that bring up labs go by.
    fn variables(&self) -> [(&'static str, OsString); 5] {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.tools.clone()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).unwrap_or_default();
        let own = |path: &Path| path.as_os_str().to_owned();
        [
            ("KILN_LAB_PYTHON", own(&self.python)),
            ("KILN_LAB_CACHE", own(&self.cache)),
            // Compiled modules have no place in a checkout.
            ("PYTHONPYCACHEPREFIX", own(&self.cache.join("pycache"))),
            ("KILN_LAB_AWS", own(&self.tools.join("aws"))),
            ("PATH", path),
        ]
    }
}
