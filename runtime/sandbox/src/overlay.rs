use crate::fault::Fault;
use kiln_engine::Error;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, move_mount,
    unmount,
};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// More lower directories than this are refused by the kernel.
const MOST_LAYERS: usize = 500;

/// Everything that would make an upper directory depend on where or when it was written is off.
/// `volatile`: nothing is flushed while a layer is built; a layer is verified before it is used.
const OPTIONS: [(&str, &str); 5] = [
    ("redirect_dir", "off"),
    ("metacopy", "off"),
    ("index", "off"),
    ("xino", "off"),
    ("uuid", "off"),
];

/// An overlay, mounted for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Overlay {
    target: PathBuf,
}

impl Overlay {
    /// Mounts `lower` (top first, at least one) with a writable `upper` at `target`.
    pub(crate) fn mount(
        lower: &[PathBuf],
        upper: &Path,
        work: &Path,
        target: &Path,
    ) -> Result<Self, Error> {
        if lower.len() > MOST_LAYERS {
            return Err(Error::input(format!(
                "an image of {} layers is more than the kernel can stack ({MOST_LAYERS})",
                lower.len()
            ))
            .help("put several steps into one layer"));
        }
        match one_by_one(lower, upper, work, target) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOSYS) => in_one_string(lower, upper, work, target)?,
            Err(error) => return Err(error).doing("mount an overlay at", target),
        }
        Ok(Self { target: target.to_owned() })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.target
    }

    /// Unmounts it now.
    pub(crate) fn unmount(self) -> Result<(), Error> {
        let target = self.target.clone();
        std::mem::forget(self);
        match unmount(&target, UnmountFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::BUSY) => unmount(&target, UnmountFlags::DETACH).doing("unmount", &target),
            Err(error) => Err(error).doing("unmount", &target),
        }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _at_process_end_it_goes_with_the_namespace =
            unmount(&self.target, UnmountFlags::DETACH);
    }
}

/// Linux 6.8 and later: one option per layer, no bound but the kernel's own.
fn one_by_one(lower: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> Result<(), Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for layer in lower {
        fsconfig_set_string(&context, "lowerdir+", layer)?;
    }
    fsconfig_set_string(&context, "upperdir", upper)?;
    fsconfig_set_string(&context, "workdir", work)?;
    for (key, value) in OPTIONS {
        fsconfig_set_string(&context, key, value)?;
    }
    fsconfig_set_flag(&context, "volatile")?;
    fsconfig_create(&context)?;
    let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&mounted, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Older kernels: everything in one page of text, the directories through short names.
fn in_one_string(lower: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> Result<(), Error> {
    let opened: Vec<std::fs::File> = lower
        .iter()
        .map(|dir| std::fs::File::open(dir).doing("open", dir))
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = opened
        .iter()
        .map(|file| format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)))
        .collect();
    let mut text = format!("lowerdir={},upperdir=", names.join(":")).into_bytes();
    text.extend_from_slice(upper.as_os_str().as_bytes());
    text.extend_from_slice(b",workdir=");
    text.extend_from_slice(work.as_os_str().as_bytes());
    let required = text.clone();
    for (key, value) in OPTIONS {
        text.extend_from_slice(format!(",{key}={value}").as_bytes());
    }
    text.extend_from_slice(b",volatile");
    if text.len() > 4000 {
        return Err(Error::input(format!(
            "an image of {} layers is more than this kernel can stack",
            lower.len()
        ))
        .help("put several steps into one layer, or use Linux 6.8 or later"));
    }
    let attempt = |text: Vec<u8>| {
        let data = CString::new(text).map_err(|_| Errno::INVAL)?;
        mount("overlay", target, "overlay", MountFlags::empty(), Some(data.as_c_str()))
    };
    // Kernels before 5.14 know neither `volatile` nor `uuid`.
    attempt(text).or_else(|_| attempt(required)).doing("mount an overlay at", target)
}
