use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A daemon in process and mount namespaces of its own: it ends, with all that it started and mounted, when
/// this is dropped, and also when this program is killed.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    log: std::path::PathBuf,
}

impl Daemon {
    /// Starts it. What it says goes to a file.
    pub(super) fn start(command: &Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot make `{}`", log.display()))?;
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]);
        wrapped.args(["--kill-child", "--mount-proc", "--"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = wrapped.spawn().context("cannot run `setpriv`")?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until it answers.
    pub(super) fn until_ready(&self, answers: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !answers() {
            if started.elapsed() > Duration::from_secs(60) {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(10).collect();
                bail!("a daemon does not answer:\n{}", tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Starts counting memory anew: proc(5), `clear_refs`.
    pub(super) fn forget_memory(&self) -> Result<()> {
        for pid in descendants(self.child.id()) {
            std::fs::write(format!("/proc/{pid}/clear_refs"), "5")
                .context("cannot reset a daemon's peak memory")?;
        }
        Ok(())
    }

    /// The sum of what each process that now runs had at most: KiB.
    pub(super) fn peak_kib(&self) -> Result<u64> {
        let mut sum = 0;
        for pid in descendants(self.child.id()) {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            // A process that has just ended has none.
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            sum += kib.unwrap_or(0);
        }
        Ok(sum)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // `unshare` passes it on to its child, and the kernel to all that is in its namespace.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process started, at any depth.
fn descendants(pid: u32) -> Vec<u32> {
    // A child hangs on the thread that started it.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for thread in threads {
        let text = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let children = text.split(' ').filter_map(|word| word.parse::<u32>().ok());
        found.extend(children.flat_map(|child| [vec![child], descendants(child)].concat()));
    }
    found
}
