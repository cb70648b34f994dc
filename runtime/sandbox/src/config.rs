use crate::cgroup::{Cgroup, counts_processes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Search path of every command in an image.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a step's processes may do as root: what installing software needs, nothing that reaches the host.
const STEP_CAPABILITIES: [(&str, u32); 13] = [
    ("CAP_CHOWN", 0),
    ("CAP_DAC_OVERRIDE", 1),
    ("CAP_FOWNER", 3),
    ("CAP_FSETID", 4),
    ("CAP_KILL", 5),
    ("CAP_SETGID", 6),
    ("CAP_SETUID", 7),
    ("CAP_SETPCAP", 8),
    ("CAP_NET_BIND_SERVICE", 10),
    ("CAP_SYS_CHROOT", 18),
    ("CAP_MKNOD", 27),
    ("CAP_AUDIT_WRITE", 29),
    ("CAP_SETFCAP", 31),
];

/// What an init needs on top to run the image as a machine, in namespaces of its own.
const BOOT_CAPABILITIES: [(&str, u32); 12] = [
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_LINUX_IMMUTABLE", 9),
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_IPC_OWNER", 15),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_BOOT", 22),
    ("CAP_SYS_NICE", 23),
    ("CAP_SYS_RESOURCE", 24),
    ("CAP_SYS_TTY_CONFIG", 26),
    ("CAP_LEASE", 28),
];

/// A directory or file of this machine that a container sees, read-only unless told.
#[derive(Debug, Clone)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) dest: String,
    pub(crate) writable: bool,
}

impl Bind {
    fn json(&self) -> Value {
        let access = if self.writable { "rw" } else { "ro" };
        json!({
            "destination": self.dest, "type": "bind", "source": self.source,
            "options": ["rbind", "nosuid", "nodev", access],
        })
    }
}

/// The configuration of a container that is never started: commands are run in it.
pub(crate) fn for_steps(root: &Path, cgroup: &Cgroup, binds: &[Bind], network: bool) -> Value {
    let mut namespaces = namespaces();
    if !network {
        namespaces.push(json!({"type": "network"}));
    }
    let mut mounts = mounts();
    mounts.extend(binds.iter().map(Bind::json));
    json!({
        "ociVersion": "1.0.2",
        // Resolves by every image's `/etc/hosts`.
        "hostname": "localhost",
        "root": {"path": root, "readonly": false},
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "noNewPrivileges": false,
            "args": ["/proc/self/exe"], "env": [format!("PATH={SEARCH_PATH}")],
            "capabilities": step_capabilities(),
        },
        "mounts": mounts,
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
            "resources": resources(),
            "cgroupsPath": cgroup.path(),
        },
    })
}

/// The configuration of a container that boots the image, or runs its start command.
pub(crate) fn for_boot(root: &Path, cgroup: &Cgroup, argv: &[String], env: &[String]) -> Value {
    let mut namespaces = namespaces();
    namespaces.push(json!({"type": "network"}));
    namespaces.push(json!({"type": "cgroup"}));
    let mut mounts = mounts();
    mounts.push(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "rw"],
    }));
    mounts.push(json!({
        "destination": "/run/lock", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "nodev", "noexec", "mode=1777"],
    }));
    json!({
        "ociVersion": "1.0.2",
        "hostname": "localhost",
        "root": {"path": root, "readonly": false},
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "noNewPrivileges": false,
            "args": argv, "env": env,
            "capabilities": boot_capabilities(),
        },
        "mounts": mounts,
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": [], "readonlyPaths": [],
            "resources": resources(),
            "cgroupsPath": cgroup.path(),
        },
    })
}

/// The capabilities of a command in a container made [`for_steps`].
pub(crate) fn step_capabilities() -> Value {
    capabilities(STEP_CAPABILITIES.into_iter())
}

/// The capabilities of a command in a container made [`for_boot`].
pub(crate) fn boot_capabilities() -> Value {
    capabilities(STEP_CAPABILITIES.into_iter().chain(BOOT_CAPABILITIES))
}

/// Asking for a capability that this process could not hand on is an error of the runtime.
fn capabilities(wanted: impl Iterator<Item = (&'static str, u32)>) -> Value {
    let bounding = bounding_set();
    let names: Vec<&str> =
        wanted.filter(|(_, bit)| bounding >> bit & 1 == 1).map(|(name, _)| name).collect();
    json!({"bounding": names, "effective": names, "permitted": names})
}

fn bounding_set() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapBnd:")?.trim(), 16).ok())
        .unwrap_or(u64::MAX)
}

/// Enough for anything that installs software; a fork bomb ends here.
fn resources() -> Value {
    if counts_processes() { json!({"pids": {"limit": 16384}}) } else { json!({}) }
}

fn namespaces() -> Vec<Value> {
    ["pid", "ipc", "uts", "mount"].map(|kind| json!({"type": kind})).to_vec()
}

fn mounts() -> Vec<Value> {
    let mount = |dest: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": dest, "type": kind, "source": source, "options": options});
    vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "nodev", "mode=1777"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/run", "tmpfs", "tmpfs", &["nosuid", "nodev", "mode=755"]),
        mount("/tmp", "tmpfs", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
    ]
}
