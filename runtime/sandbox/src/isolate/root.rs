use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, open, statx};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use rustix::process::{chdir, fchdir, getcwd, pivot_root};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

/// Makes this process's root the root of its mount namespace, where it is not: in a chroot.
///
/// Joining a mount namespace leads to the *namespace's* root, not to the chroot of whoever made it. An OCI
/// runtime joins its container's namespace for each command: under a chroot its containers' commands would
/// run in the machine's own root (setns(2), chroot(2)).
pub(super) fn make_it_the_namespaces() -> std::io::Result<()> {
    let here = getcwd(Vec::new())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let ours = open("/", flags, Mode::empty())?;
    let namespace =
        open("/proc/thread-self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // Joining the namespace that this thread is in moves its root and working directory to its root.
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    if identity(&ours)? != identity(&open("/", flags, Mode::empty())?)? {
        // `pivot_root` wants a mount, and a chroot need not be one: a copy of its mounts is laid over it.
        let copy = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = open_tree(&ours, "", copy)?;
        let onto =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&tree, "", &ours, "", onto)?;
        fchdir(&tree)?;
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
    }
    chdir(&here)?;
    Ok(())
}

/// Device, inode and mount: two mounts of one directory are two places.
fn identity(file: &impl AsFd) -> std::io::Result<(u32, u32, u64, u64)> {
    let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = statx(file, "", AtFlags::EMPTY_PATH, flags)?;
    Ok((stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino, stat.stx_mnt_id))
}
