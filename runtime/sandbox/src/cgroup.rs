use crate::fault::Fault;
use kiln_engine::Error;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where cgroups are mounted.
pub(crate) const ROOT: &str = "/sys/fs/cgroup";

/// Where [`crate::isolate()`] shows the v2 tree of a host that mounts both versions.
pub(crate) const HIDDEN_UNIFIED: &str = "/sys/fs/cgroup/kiln.unified";

/// Whether groups can be made at all: asked before work is begun that would end there.
///
/// # Errors
/// When they cannot, as in a container that shows its groups read-only.
pub(crate) fn check() -> Result<(), Error> {
    rustix::fs::access(tracking(), rustix::fs::Access::WRITE_OK).map_err(|error| {
        Error::environment(format!("cannot make control groups in `{}`", tracking().display()))
            .help("steps are bounded by them: bake where `/sys/fs/cgroup` can be written")
            .caused_by(error)
    })
}

/// A group of processes, in every hierarchy of the host: `kiln/<run>` or `kiln/<run>/<container>`.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    /// From the root of each hierarchy; starts with `/`.
    path: String,
}

impl Cgroup {
    /// That of a run.
    pub(crate) fn of_run(run: &str) -> Self {
        Self { path: format!("/kiln/{run}") }
    }

    /// One below this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self { path: format!("{}/{name}", self.path) }
    }

    /// The `cgroupsPath` of an OCI runtime.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Makes it in the hierarchy that processes are tracked in, and returns the file that takes the
    /// number of a process that enters it.
    pub(crate) fn make(&self) -> Result<PathBuf, Error> {
        let dir = self.dir(tracking());
        fs::create_dir_all(&dir).doing("make cgroup", &dir)?;
        Ok(dir.join("cgroup.procs"))
    }

    /// Makes it in the v2 tree of a host that mounts both versions; `None` on other hosts. An init that
    /// starts in the root of that tree would otherwise make its groups there.
    pub(crate) fn make_hidden(&self) -> Option<PathBuf> {
        let dir = self.dir(Path::new(HIDDEN_UNIFIED));
        (Path::new(HIDDEN_UNIFIED).exists() && fs::create_dir_all(&dir).is_ok())
            .then(|| dir.join("cgroup.procs"))
    }

    /// Bounds the memory, without swap; `None`: no bound.
    ///
    /// # Errors
    /// When there is to be a bound and this machine has no memory controller to keep it.
    pub(crate) fn limit_memory(&self, bytes: Option<u64>) -> Result<(), Error> {
        let (dir, plain, with_swap, none) = if is_version_two() {
            (self.dir(Path::new(ROOT)), "memory.max", "memory.swap.max", "max")
        } else {
            let dir = self.dir(&Path::new(ROOT).join("memory"));
            (dir, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "-1")
        };
        let Some(bytes) = bytes else {
            // In version 1 the bound with swap is never below the one without: it goes first.
            let _there_may_have_been_none = fs::write(dir.join(with_swap), none);
            let _there_may_have_been_none = fs::write(dir.join(plain), none);
            return Ok(());
        };
        fs::write(dir.join(plain), bytes.to_string())
            .failing("this machine cannot bound the memory of a step")?;
        // Version 1 counts both together, version 2 swap alone. Swap may not be accounted for at all.
        let swap = if is_version_two() { 0 } else { bytes };
        let _swap_may_be_off = fs::write(dir.join(with_swap), swap.to_string());
        Ok(())
    }

    /// How many processes the kernel has killed in it for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let file = if is_version_two() {
            self.dir(Path::new(ROOT)).join("memory.events")
        } else {
            self.dir(&Path::new(ROOT).join("memory")).join("memory.oom_control")
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
            .unwrap_or_default()
    }

    /// Kills every process in it but `spared`. Returns whether none is left.
    pub(crate) fn kill_all_but(&self, spared: Option<u32>) -> bool {
        let dir = self.dir(tracking());
        // A process that forks while it is killed is met in the next round.
        for round in 0..200 {
            let mut left = false;
            for pid in processes_below(&dir) {
                if Some(pid) != spared {
                    left = true;
                    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                        let _gone_already = kill_process(pid, Signal::KILL);
                    }
                }
            }
            if !left {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(if round < 20 { 1 } else { 5 }));
        }
        false
    }

    /// Kills what is in it and removes it from every hierarchy. Returns whether nothing is left.
    pub(crate) fn remove(&self) -> bool {
        let mut gone = true;
        for hierarchy in hierarchies() {
            let dir = self.dir(&hierarchy);
            for _ in 0..200 {
                for pid in processes_below(&dir) {
                    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                        let _gone_already = kill_process(pid, Signal::KILL);
                    }
                }
                if remove_tree(&dir) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            gone &= !dir.exists();
            // `/kiln` itself goes when no other run is in it.
            if let Some(parent) = dir.parent().filter(|parent| parent.ends_with("kiln")) {
                let _others_are_there = fs::remove_dir(parent);
            }
        }
        gone
    }

    fn dir(&self, hierarchy: &Path) -> PathBuf {
        hierarchy.join(self.path.trim_start_matches('/'))
    }
}

/// Whether the number of processes can be bounded here: asking for what cannot be is an error of the runtime.
pub(crate) fn counts_processes() -> bool {
    let root = Path::new(ROOT);
    let available = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    root.join("pids/cgroup.procs").exists()
        || available.split_whitespace().any(|controller| controller == "pids")
}

fn is_version_two() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The hierarchy that a group's processes are read from.
fn tracking() -> &'static Path {
    if is_version_two() {
        return Path::new(ROOT);
    }
    let candidates = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/systemd"];
    candidates
        .into_iter()
        .map(Path::new)
        .find(|dir| dir.join("cgroup.procs").exists())
        .unwrap_or(Path::new(ROOT))
}

fn hierarchies() -> Vec<PathBuf> {
    if is_version_two() {
        return vec![PathBuf::from(ROOT)];
    }
    let Ok(entries) = fs::read_dir(ROOT) else { return Vec::new() };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("cgroup.procs").exists())
        .collect()
}

fn processes_below(dir: &Path) -> Vec<u32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    // A process of another pid namespace that is not ours to see reads as 0.
    found.retain(|pid| *pid != 0 && *pid != std::process::id());
    for child in children(dir) {
        found.extend(processes_below(&child));
    }
    found
}

fn remove_tree(dir: &Path) -> bool {
    for child in children(dir) {
        remove_tree(&child);
    }
    match fs::remove_dir(dir) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
