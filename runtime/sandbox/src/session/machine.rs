use crate::config::{self, Bind};
use crate::container::{Container, Plan};
use crate::fault::Fault;
use crate::overlay::Overlay;
use crate::put::Root;
use crate::run::Run;
use kiln_engine::Error;
use rustix::fs::{Gid, Mode, Uid, chmod, chown, lstat};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a container can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// A loopback interface of its own.
    None,
    /// The network of this machine.
    Host,
}

/// An overlay in a directory of the run.
#[derive(Debug)]
struct Stack {
    dir: PathBuf,
    overlay: Overlay,
}

impl Stack {
    /// Where it is mounted.
    fn root(&self) -> &Path {
        self.overlay.path()
    }
}

/// Mounts a fresh writable directory on top of `lower`, top first.
fn stack(run: &Run, prefix: &str, lower: &[PathBuf]) -> Result<Stack, Error> {
    let dir = run.make_dir(prefix)?;
    let at = |name: &str| -> Result<PathBuf, Error> {
        let part = dir.join(name);
        std::fs::create_dir(&part).doing("make", &part)?;
        Ok(part)
    };
    let (upper, work, merged) = (at("upper")?, at("work")?, at("merged")?);
    // The root of the overlay is the upper directory itself.
    if let Some(below) = lower.first() {
        let stat = lstat(below).doing("look at", below)?;
        chown(&upper, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
            .and_then(|()| chmod(&upper, Mode::from_raw_mode(stat.st_mode & 0o7777)))
            .doing("prepare", &upper)?;
    }
    let overlay = Overlay::mount(lower, &upper, &work, &merged)?;
    Ok(Stack { dir, overlay })
}

/// A writable overlay, and the containers that run in it, each made when it is first needed.
#[derive(Debug)]
pub(crate) struct Machine {
    // Dropped in this order: containers, their mounts, directories.
    alone: Option<Container>,
    online: Option<Container>,
    root: Root,
    stack: Stack,
    /// What a container needs to mount on and the image lacks; taken away when it is closed.
    stand_ins: Vec<PathBuf>,
    /// Directories that were not written before something was made in them to mount on.
    touched: Vec<PathBuf>,
    lower: Vec<PathBuf>,
    run: Arc<Run>,
}

impl Machine {
    pub(crate) fn new(run: &Arc<Run>, lower: &[PathBuf]) -> Result<Self, Error> {
        let stack = stack(run, "session-", lower)?;
        for (name, mode) in [("share", 0o755), ("tmp", 0o1777)] {
            let part = stack.dir.join(name);
            std::fs::DirBuilder::new().mode(0o700).create(&part).doing("make", &part)?;
            chmod(&part, Mode::from_raw_mode(mode)).doing("prepare", &part)?;
        }
        let root = Root::open(stack.root())?;
        Ok(Self {
            alone: None,
            online: None,
            root,
            stack,
            stand_ins: Vec::new(),
            touched: Vec::new(),
            lower: lower.to_vec(),
            run: Arc::clone(run),
        })
    }

    /// The root that its containers see.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Where that root is mounted.
    pub(crate) fn mounted(&self) -> PathBuf {
        self.stack.root().to_owned()
    }

    /// What has been written so far.
    pub(super) fn upper(&self) -> PathBuf {
        self.stack.dir.join("upper")
    }

    /// The directory that its containers see, read-only, as `/run/kiln`.
    pub(super) fn share(&self) -> PathBuf {
        self.stack.dir.join("share")
    }

    /// The container with this network.
    pub(crate) async fn container(&mut self, network: Network) -> Result<&Container, Error> {
        let slot = match network {
            Network::None => &self.alone,
            Network::Host => &self.online,
        };
        if slot.is_none() {
            let container = self.create(network).await?;
            match network {
                Network::None => self.alone = Some(container),
                Network::Host => self.online = Some(container),
            }
        }
        let slot = match network {
            Network::None => &self.alone,
            Network::Host => &self.online,
        };
        slot.as_ref().ok_or_else(|| Error::environment("the session has no container"))
    }

    async fn create(&mut self, network: Network) -> Result<Container, Error> {
        let bind =
            |source: PathBuf, dest: &str, writable| Bind { source, dest: dest.into(), writable };
        let mut binds = vec![
            bind(self.share(), "/run/kiln", false),
            bind(self.stack.dir.join("tmp"), "/tmp", true),
        ];
        for dir in ["/proc", "/dev", "/sys", "/run", "/tmp"] {
            self.note_stand_in(dir);
        }
        if self.root.stat("/etc/hosts").is_none() {
            let hosts = self.stack.dir.join("hosts");
            std::fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n")
                .doing("write", &hosts)?;
            self.note_stand_in("/etc/hosts");
            binds.push(bind(hosts, "/etc/hosts", false));
        }
        if network == Network::Host
            && let Ok(resolver) = std::fs::canonicalize("/etc/resolv.conf")
        {
            self.note_stand_in("/etc/resolv.conf");
            binds.push(bind(resolver, "/etc/resolv.conf", false));
        }
        let purpose = match network {
            Network::None => "step",
            Network::Host => "net",
        };
        let root = self.stack.root().to_owned();
        Container::create(&self.run, Plan { purpose, root: &root, boots: false }, |cgroup| {
            config::for_steps(&root, cgroup, &binds, network == Network::Host)
        })
        .await
    }

    /// Remembers what the runtime is about to make as a place to mount on, parents included.
    fn note_stand_in(&mut self, path: &str) {
        let mut missing = path.to_owned();
        for _ in 0..40 {
            if self.root.stat(&missing).is_some() {
                return;
            }
            // A link that leads to nothing: the runtime makes what it names.
            if let Some(target) = self.dangling(&missing) {
                missing = target;
                continue;
            }
            let relative = PathBuf::from(missing.trim_start_matches('/'));
            for part in relative.ancestors().filter(|part| !part.as_os_str().is_empty()) {
                let text = format!("/{}", part.display());
                if self.root.stat(&text).is_none() && !self.stand_ins.contains(&part.to_owned()) {
                    self.stand_ins.push(part.to_owned());
                } else if self.upper().join(part).symlink_metadata().is_err() {
                    self.touched.push(part.to_owned());
                }
            }
            return;
        }
    }

    /// Where a link that leads to nothing leads, as a path from the root.
    fn dangling(&self, path: &str) -> Option<String> {
        let (parent, name) = path.rsplit_once('/')?;
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
        let dir = self.root.at(if parent.is_empty() { "/" } else { parent }, flags).ok()?;
        let target = rustix::fs::readlinkat(dir, name, Vec::new()).ok()?;
        let target = target.into_string().ok()?;
        let joined = if target.starts_with('/') { target } else { format!("{parent}/{target}") };
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Some(format!("/{}", parts.join("/")))
    }

    /// Ends its containers and unmounts it: what has been written lies in its directory.
    pub(super) fn close(self) -> Result<Closed, Error> {
        let Self { alone, online, root, stack, mut stand_ins, mut touched, lower, run } = self;
        drop((alone, online));
        // Before the overlay goes: what was made in it must vanish without a whiteout, deepest first.
        stand_ins.sort();
        for stand_in in stand_ins.iter().rev() {
            let made = stack.dir.join("upper").join(stand_in);
            let _a_step_has_filled_it = match made.symlink_metadata() {
                Ok(meta) if meta.is_dir() => std::fs::remove_dir(stack.root().join(stand_in)),
                Ok(meta) if meta.is_file() && meta.len() == 0 => {
                    std::fs::remove_file(stack.root().join(stand_in))
                }
                _ => Ok(()),
            };
        }
        drop(root);
        stack.overlay.unmount()?;
        touched.sort();
        for dir in touched.iter().rev() {
            let copy = stack.dir.join("upper").join(dir);
            if is_mere_copy(&copy, dir, &lower) {
                std::fs::remove_dir(&copy).doing("remove", &copy)?;
            }
        }
        Ok(Closed { dir: stack.dir, run })
    }

    /// Ends and removes all of it.
    pub(crate) fn remove(self) -> Result<(), Error> {
        self.close()?.remove()
    }
}

/// Whether a directory was copied up to make something in it, and holds nothing now that it is gone.
fn is_mere_copy(copy: &Path, dir: &Path, lower: &[PathBuf]) -> bool {
    let is_empty = std::fs::read_dir(copy).is_ok_and(|mut entries| entries.next().is_none());
    let below = lower.iter().find_map(|layer| lstat(layer.join(dir)).ok());
    let (true, Some(below), Ok(copy)) = (is_empty, below, lstat(copy)) else { return false };
    (below.st_mode, below.st_uid, below.st_gid) == (copy.st_mode, copy.st_uid, copy.st_gid)
}

/// A machine whose overlay is no longer mounted.
#[derive(Debug)]
pub(super) struct Closed {
    dir: PathBuf,
    run: Arc<Run>,
}

impl Closed {
    /// What was written.
    pub(super) fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }

    pub(super) fn remove(self) -> Result<(), Error> {
        self.run.discard(&self.dir)
    }
}
