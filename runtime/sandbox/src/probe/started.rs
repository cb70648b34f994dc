use crate::accounts::Accounts;
use crate::config::{self, SEARCH_PATH, boot_capabilities, step_capabilities};
use crate::container::{Container, Plan};
use crate::fault::Fault;
use crate::process::Process;
use crate::put::Root;
use crate::run::Run;
use crate::session::{Machine, Network};
use kiln::Limits;
use kiln_engine::Error;
use kiln_engine::driver::{Output, TestPlan};
use rustix::fs::FileType;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// An image that runs, in a network of its own.
pub(super) struct Started {
    // Dropped in this order: what runs, then what it runs on.
    container: Option<Container>,
    program: Program,
    machine: Machine,
    env: Vec<(String, String)>,
}

/// What was started.
enum Program {
    /// The image's init system.
    Init,
    /// The image's start command, and the file that it prints to.
    Command { child: Box<tokio::process::Child>, log: PathBuf },
    /// Nothing: commands can be run in it, and that is all.
    Nothing,
}

impl Started {
    pub(super) async fn new(
        run: &Arc<Run>,
        lower: &[PathBuf],
        plan: &TestPlan,
        output: Output<'_>,
    ) -> Result<Self, Error> {
        let machine = tokio::task::block_in_place(|| Machine::new(run, lower))?;
        let mut env: Vec<(String, String)> =
            [("PATH", SEARCH_PATH), ("HOME", "/root"), ("LANG", "C.UTF-8"), ("container", "oci")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        for (name, value) in &plan.env {
            env.retain(|(known, _)| known != name);
            env.push((name.clone(), value.clone()));
        }
        let mut started = Self { container: None, program: Program::Nothing, machine, env };
        if !plan.start.is_empty() {
            output(&format!("starting `{}`", plan.start.join(" ")));
            started.start(run, &plan.start).await?;
        } else if has_init(started.machine.root()) {
            output("booting");
            started.boot(run).await?;
        }
        Ok(started)
    }

    async fn boot(&mut self, run: &Arc<Run>) -> Result<(), Error> {
        let container = self.create(run, &["/sbin/init".to_owned()]).await?;
        container.start().await?;
        self.container = Some(container);
        self.program = Program::Init;
        Ok(())
    }

    /// The command is a child of the container's first process, so that its end and its status are seen.
    async fn start(&mut self, run: &Arc<Run>, argv: &[String]) -> Result<(), Error> {
        let container = self.create(run, &["/proc/self/exe".to_owned()]).await?;
        let log = container.bundle().join("start");
        let file = std::fs::File::create(&log).doing("make", &log)?;
        let process = self.process(argv.to_vec(), boot_capabilities())?;
        let child = Box::new(process.start(&container, &file)?);
        self.program = Program::Command { child, log };
        self.container = Some(container);
        Ok(())
    }

    async fn create(&self, run: &Arc<Run>, argv: &[String]) -> Result<Container, Error> {
        let env: Vec<String> = self.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let root = self.machine.mounted();
        Container::create(run, Plan { purpose: "test", root: &root, boots: true }, |cgroup| {
            config::for_boot(&root, cgroup, argv, &env)
        })
        .await
    }

    /// Whether something was started that may answer.
    pub(super) fn runs(&self) -> bool {
        !matches!(self.program, Program::Nothing)
    }

    /// The number of a process in the image's network.
    pub(super) fn init(&self) -> Option<u32> {
        self.container.as_ref().map(Container::init)
    }

    /// How what was started has ended; `None`: it has not.
    pub(super) fn end(&mut self) -> Option<String> {
        match (&mut self.program, &self.container) {
            (Program::Command { child, .. }, _) => {
                let status = child.try_wait().ok().flatten()?;
                Some(match (status.code(), status.signal()) {
                    (Some(code), _) => format!("the start command exited with status {code}"),
                    (None, signal) => {
                        format!("the start command was killed by signal {}", signal.unwrap_or(0))
                    }
                })
            }
            (Program::Init, Some(container)) if !container.is_alive() => {
                Some("the init system has ended".to_owned())
            }
            _ => None,
        }
    }

    /// Runs a shell text in the image.
    ///
    /// # Errors
    /// When it fails; its output is in the error.
    pub(super) async fn run(&mut self, script: &str, limits: Limits) -> Result<(), Error> {
        let argv = ["/bin/sh", "-e", "-c", script].map(str::to_owned).to_vec();
        if self.machine.root().stat("/bin/sh").is_none() {
            return Err(Error::input("the image has no `/bin/sh` to run it"));
        }
        if let Some(container) = &self.container {
            let process = self.process(argv, boot_capabilities())?;
            return process.run(container, limits, &|_| {}).await;
        }
        let process = self.process(argv, step_capabilities())?;
        let container = self.machine.container(Network::None).await?;
        process.run(container, limits, &|_| {}).await
    }

    /// The end of what the services, or the start command, have logged.
    pub(super) async fn journal(&mut self) -> Vec<String> {
        let lines = match (&self.program, &self.container) {
            (Program::Command { log, .. }, _) => {
                let text = std::fs::read(log).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                text.lines().map(str::to_owned).collect()
            }
            (Program::Init, Some(container)) if container.is_alive() => {
                let lines = Mutex::new(Vec::new());
                let sink = |line: &str| {
                    lines
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push(line.to_owned());
                };
                let limits = Limits { time_ms: Some(10_000), memory: None };
                let argv = ["journalctl", "--no-pager", "--quiet", "-n", "50"].map(str::to_owned);
                if let Ok(process) = self.process(argv.to_vec(), boot_capabilities()) {
                    let _an_image_may_have_no_journal = process.run(container, limits, &sink).await;
                }
                lines.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
            }
            (Program::Init, Some(container)) => container.log(),
            _ => Vec::new(),
        };
        let mut last = lines[lines.len().saturating_sub(50)..].to_vec();
        if !last.is_empty() {
            last.insert(0, "--- log of the image ---".to_owned());
        }
        last
    }

    fn process(&self, argv: Vec<String>, capabilities: Value) -> Result<Process, Error> {
        let identity = Accounts::of(self.machine.root())?.identity("root")?;
        Ok(Process { argv, env: self.env.clone(), cwd: "/".into(), identity, capabilities })
    }

    /// Ends everything and removes the machine.
    pub(super) fn stop(self) -> Result<(), Error> {
        let Self { container, program, machine, .. } = self;
        tokio::task::block_in_place(|| {
            drop((container, program));
            machine.remove()
        })
    }
}

fn has_init(root: &Root) -> bool {
    root.stat("/sbin/init")
        .is_some_and(|(kind, mode)| kind == FileType::RegularFile && mode & 0o111 != 0)
}
