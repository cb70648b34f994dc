use super::folder::parent;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// Who may use what is made in a state's directory. What is shared becomes so before it gets its name: nobody finds what they
/// may not open yet, whatever the maker's umask, and whenever the maker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Its maker.
    Private,
    /// Likewise the group of the state's directory, and others as far as that lets them. `mode`: of that directory.
    Shared { group: u32, mode: u32 },
}

const SET_GROUP: u32 = 0o2000;
const GROUP_WRITES: u32 = 0o0020;

impl Rights {
    /// As the directory has them: shared with its group if that may write there. A project's directory that is not there yet
    /// takes them from where it is made if that hands its group down: a home, or `/tmp`, says nothing of the kind.
    pub(super) fn of(root: &Path) -> Self {
        let there = root.ancestors().find_map(|path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            Some((path, path.metadata().ok()?))
        });
        match there {
            Some((path, meta))
                if meta.mode() & GROUP_WRITES != 0
                    && (path == root || meta.mode() & SET_GROUP != 0) =>
            {
                Self::Shared { group: meta.gid(), mode: meta.mode() }
            }
            _ => Self::Private,
        }
    }

    /// Makes a directory and those above it, unless it is there.
    pub(super) fn directory(self, path: &Path) -> std::io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = parent(path);
        self.directory(above)?;
        let made = new().permissions(Permissions::from_mode(0o700)).tempdir_in(above)?;
        if let Self::Shared { group, mode } = self {
            give(&File::open(made.path())?, group, 0o700 | mode & (SET_GROUP | 0o077));
        }
        // One that is there is not replaced, not even where it is empty: whoever has made it may be about to write into it.
        match renameat_with(CWD, made.path(), CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => {
                let _ = made.keep();
                Ok(())
            }
            Err(_) if path.is_dir() => Ok(()),
            // The file system knows no such rename: it is private, or as the umask has it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => std::fs::create_dir_all(path),
            Err(error) => Err(error.into()),
        }
    }

    /// A file in a directory, empty and without a name yet.
    pub(super) fn file(self, folder: &Path) -> std::io::Result<NamedTempFile> {
        let made = new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
        if let Self::Shared { group, mode } = self {
            give(made.as_file(), group, 0o600 | mode & 0o066);
        }
        Ok(made)
    }
}

/// Shares what was just made. It stays private where its maker is not of that group, or the file system knows no rights.
fn give(made: &File, group: u32, mode: u32) {
    let has = made.metadata().is_ok_and(|meta| meta.gid() == group);
    if has || fchown(made, None, Some(group)).is_ok() {
        let _ = made.set_permissions(Permissions::from_mode(mode));
    }
}

fn new() -> Builder<'static, 'static> {
    let mut new = Builder::new();
    new.prefix(".writing-");
    new
}
