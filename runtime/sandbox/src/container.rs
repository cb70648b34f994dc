use crate::cgroup::Cgroup;
use crate::fault::Fault;
use crate::run::Run;
use kiln_engine::Error;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use serde_json::Value;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A container of an OCI runtime, killed and removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Container {
    run: Arc<Run>,
    id: String,
    bundle: PathBuf,
    cgroup: Cgroup,
    boots: bool,
    init: u32,
}

/// What makes a container.
pub(crate) struct Plan<'a> {
    /// What it is for; part of its name.
    pub(crate) purpose: &'a str,
    /// Its root, where it is mounted.
    pub(crate) root: &'a Path,
    /// Whether an init will run in it, which makes cgroups of its own.
    pub(crate) boots: bool,
}

impl Container {
    /// Creates a container with the configuration that `config` makes for its cgroup.
    pub(crate) async fn create(
        run: &Arc<Run>,
        plan: Plan<'_>,
        config: impl FnOnce(&Cgroup) -> Value,
    ) -> Result<Self, Error> {
        let id = run.record_container(plan.purpose)?;
        let bundle = run.make_dir("bundle-")?;
        let cgroup = run.cgroup().child(&id);
        let config = config(&cgroup).to_string();
        std::fs::write(bundle.join("config.json"), config).doing("write into", &bundle)?;
        let boots = plan.boots;
        let mut container = Self { run: Arc::clone(run), id, bundle, cgroup, boots, init: 0 };
        container.init = container.launch().await?;
        let entered = root_of(container.init).failing("cannot look into a container")?;
        if entered != place(plan.root).doing("look at", plan.root)? {
            return Err(Error::environment("commands would run outside of the image's root")
                .help("bake where `/` is the root of a mount namespace: not in a chroot"));
        }
        Ok(container)
    }

    async fn launch(&self) -> Result<u32, Error> {
        let pid_file = self.bundle.join("pid");
        let log = self.bundle.join("log");
        let runtime = self.run.runtime();
        let hidden = self.boots.then(|| self.cgroup.make_hidden()).flatten();
        let mut command = match hidden {
            Some(procs) => {
                let mut shell = std::process::Command::new("/bin/sh");
                shell.arg("-c").arg("echo $$ >\"$1\" && shift && exec \"$@\"").arg("sh");
                shell.arg(procs).arg(runtime.program()).arg("--root").arg(self.run.state());
                shell
            }
            None => runtime.command(&self.run.state(), &[]),
        };
        // The init keeps these open: a pipe would never end.
        let output = std::fs::File::create(&log).doing("make", &log)?;
        let errors = output.try_clone().doing("open", &log)?;
        command.arg("create").arg("--bundle").arg(&self.bundle).arg("--pid-file").arg(&pid_file);
        command.arg(&self.id).stdin(std::process::Stdio::null()).stdout(output).stderr(errors);
        let status = tokio::process::Command::from(command)
            .process_group(0)
            .kill_on_drop(true)
            .status()
            .await
            .failing("cannot run the OCI runtime")?;
        if !status.success() {
            return Err(
                Error::environment("the OCI runtime cannot create a container").output(self.log())
            );
        }
        std::fs::read_to_string(&pid_file)
            .doing("read", &pid_file)?
            .trim()
            .parse()
            .failing("the OCI runtime gives no process number")
    }

    /// Starts the program that its configuration names.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        let command = self.run.runtime().command(&self.run.state(), &["start", &self.id]);
        let output = tokio::process::Command::from(command)
            .process_group(0)
            .kill_on_drop(true)
            .output()
            .await
            .failing("cannot run the OCI runtime")?;
        if output.status.success() {
            return Ok(());
        }
        let mut lines = self.log();
        lines.extend(String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned));
        Err(Error::input("the image cannot be started").output(lines))
    }

    /// What its program, or the runtime that created it, has printed: the last lines.
    pub(crate) fn log(&self) -> Vec<String> {
        let bytes = std::fs::read(self.bundle.join("log")).unwrap_or_default();
        let start = bytes.len().saturating_sub(64 << 10);
        let text = String::from_utf8_lossy(&bytes[start..]);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(200)..].iter().map(|line| (*line).to_owned()).collect()
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bundle(&self) -> &Path {
        &self.bundle
    }

    pub(crate) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// The number of its first process on this machine.
    pub(crate) fn init(&self) -> u32 {
        self.init
    }

    /// Whether its first process is still there.
    pub(crate) fn is_alive(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.init));
        // proc(5): the state follows the name, which is in parentheses and may hold anything.
        stat.is_ok_and(|stat| {
            stat.rsplit(')').next().is_some_and(|rest| !rest.starts_with(" Z") && !rest.is_empty())
        })
    }

    /// Whether other processes than those of one command run in it.
    pub(crate) fn boots(&self) -> bool {
        self.boots
    }

    /// Kills every process in it but the first.
    pub(crate) fn kill_strays(&self) -> bool {
        self.cgroup.kill_all_but(Some(self.init))
    }
}

/// Device and inode of the root that a command finds which joins the mount namespace of a process. It is
/// asked in the way in which the runtime does it, before any command is run: a command in the wrong root
/// would change this machine.
fn root_of(process: u32) -> std::io::Result<(u64, u64)> {
    let namespace = std::fs::File::open(format!("/proc/{process}/ns/mnt"))?;
    let look = move || {
        // SAFETY: the flag does not unshare the table of file descriptors, the only hazard of this call.
        #[expect(unsafe_code, reason = "`unshare` is unsafe for file descriptor tables only")]
        unsafe { unshare_unsafe(UnshareFlags::FS) }?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
        place(Path::new("/"))
    };
    // A thread of its own: it cannot come back.
    let looked = std::thread::Builder::new().spawn(look)?.join();
    looked.unwrap_or_else(|_| Err(std::io::Error::other("the thread that looked panicked")))
}

fn place(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

impl Drop for Container {
    fn drop(&mut self) {
        let _swept_by_the_next_run = self.run.runtime().delete(&self.run.state(), &self.id);
        self.cgroup.remove();
        let _goes_with_the_run = std::fs::remove_dir_all(&self.bundle);
    }
}
