mod root;

use crate::cgroup::{HIDDEN_UNIFIED, ROOT};
use crate::fault::Fault;
use kiln_engine::Error;
use rustix::fs::{CWD, Mode, mkdir};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Gives this process a mount namespace of its own, so that whatever it mounts vanishes with it.
///
/// Call it first in `main`: threads that are already there stay in the namespace of the host. On a host
/// that mounts cgroup v1 and v2 together the new namespace shows the v1 controllers only, because `crun`
/// refuses such hosts. In a chroot the new namespace's root becomes the chroot. Nothing changes for the host.
///
/// # Errors
/// When this process may not: it needs root.
pub fn isolate() -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(crate::sandbox::needs_root());
    }
    // SAFETY: the flag does not unshare the table of file descriptors, the only hazard of this call.
    #[expect(unsafe_code, reason = "`unshare` is unsafe for file descriptor tables only")]
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.failing("cannot make a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .failing("cannot make the mounts of this process private")?;
    root::make_it_the_namespaces().failing("cannot leave the chroot that this runs in")?;
    if is_hybrid() {
        show_version_one().failing("cannot hide the cgroup v2 tree of this host")?;
    }
    Ok(())
}

/// Whether cgroup v2 is mounted beside the v1 controllers.
fn is_hybrid() -> bool {
    let root = Path::new(ROOT);
    !root.join("cgroup.controllers").exists() && root.join("unified/cgroup.controllers").exists()
}

/// Lays a fresh directory over `/sys/fs/cgroup` that holds every v1 controller, and the v2 tree under a
/// name that no runtime looks for.
fn show_version_one() -> std::io::Result<()> {
    let mut trees: Vec<(PathBuf, OwnedFd)> = Vec::new();
    for entry in std::fs::read_dir(ROOT)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let shown = if entry.file_name() == "unified" {
            PathBuf::from(HIDDEN_UNIFIED)
        } else {
            entry.path()
        };
        let tree = open_tree(
            CWD,
            entry.path(),
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
        )?;
        trees.push((shown, tree));
    }
    mount("cgroup", ROOT, "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
    for (shown, tree) in trees {
        mkdir(&shown, Mode::from_raw_mode(0o755))?;
        move_mount(tree, "", CWD, &shown, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    }
    Ok(())
}
