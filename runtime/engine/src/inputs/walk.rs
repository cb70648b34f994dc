//! What is below a directory, found in parallel. Nothing is read but names, stamps and link targets.

use super::resolve::{denied, not_utf8, unreadable, unsupported, vanished};
use super::stamp::{Stamp, executable, special};
use crate::Error;
use rayon::prelude::*;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, readlinkat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{CStr, CString};

/// An entry of a tree before any content has been read.
pub(super) struct Found {
    /// Relative to the root of the tree.
    pub(super) path: String,
    pub(super) kind: FoundKind,
}

pub(super) enum FoundKind {
    Directory,
    File { stamp: Stamp, executable: bool },
    Link { target: String },
}

/// Everything below `root`, which errors call `name`, sorted by path.
///
/// # Errors
/// On what cannot be an input, cannot be read, or vanishes while we look; of several, the first one found
/// in the order of depth, then path.
pub(super) fn walk(root: BorrowedFd<'_>, name: &str) -> Result<Vec<Found>, Error> {
    let tree = Tree { root, name };
    let mut found = Vec::new();
    let mut level = vec![String::new()];
    // Level by level, not recursively: neither the stack nor the open files grow with the depth.
    while !level.is_empty() {
        let lists: Vec<_> = level.par_iter().map(|directory| tree.list(directory)).collect();
        level = Vec::new();
        for list in lists {
            let list = list?;
            let directories =
                list.iter().filter(|found| matches!(found.kind, FoundKind::Directory));
            level.extend(directories.map(|found| found.path.clone()));
            found.extend(list);
        }
    }
    found.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

struct Tree<'a> {
    root: BorrowedFd<'a>,
    name: &'a str,
}

/// The names of one directory that one task looks at.
const NAMES: usize = 1024;

impl Tree<'_> {
    /// The entries of one directory, sorted by name.
    fn list(&self, directory: &str) -> Result<Vec<Found>, Error> {
        let opened = self.open(directory).map_err(|errno| denied(&self.path(directory), errno))?;
        let names = names(&opened).map_err(|errno| unreadable(&self.path(directory), errno))?;
        if names.len() <= NAMES {
            return names.iter().map(|named| self.look(opened.as_fd(), directory, named)).collect();
        }
        let looked: Vec<_> = names
            .par_iter()
            .with_min_len(NAMES)
            .map(|named| self.look(opened.as_fd(), directory, named))
            .collect();
        looked.into_iter().collect()
    }

    fn open(&self, directory: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = if directory.is_empty() { "." } else { directory };
        retry_on_intr(|| openat(self.root, path, flags, Mode::empty()))
    }

    fn look(&self, opened: BorrowedFd<'_>, directory: &str, named: &Named) -> Result<Found, Error> {
        let name = named.name.to_str().map_err(|_| {
            not_utf8("the name of", &self.path(&join(directory, &named.name.to_string_lossy())))
        })?;
        let path = join(directory, name);
        let kind = match named.kind {
            // Their own modes and times are no content: one system call less.
            FileType::Directory => FoundKind::Directory,
            FileType::Symlink => self.link(opened, &named.name, &path)?,
            _ => {
                let stat = statat(opened, &named.name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|errno| self.failed(&path, errno))?;
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => FoundKind::Directory,
                    FileType::Symlink => self.link(opened, &named.name, &path)?,
                    kind => match special(kind) {
                        Some(what) => return Err(unsupported(&self.path(&path), what)),
                        None => FoundKind::File {
                            stamp: Stamp::of(&stat),
                            executable: executable(&stat),
                        },
                    },
                }
            }
        };
        Ok(Found { path, kind })
    }

    fn link(&self, opened: BorrowedFd<'_>, name: &CStr, path: &str) -> Result<FoundKind, Error> {
        let target =
            readlinkat(opened, name, Vec::new()).map_err(|errno| self.failed(path, errno))?;
        let target = target
            .into_string()
            .map_err(|_| not_utf8("the target of the link", &self.path(path)))?;
        Ok(FoundKind::Link { target })
    }

    fn failed(&self, path: &str, errno: Errno) -> Error {
        match errno {
            Errno::NOENT => vanished(&self.path(path)),
            _ => unreadable(&self.path(path), errno),
        }
    }

    /// What the user calls a path of this tree.
    fn path(&self, path: &str) -> String {
        join(self.name, path)
    }
}

/// A path of a tree, below the name of the tree.
pub(super) fn join(directory: &str, name: &str) -> String {
    match (directory.trim_end_matches('/'), name) {
        ("", name) => name.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, name) => format!("{directory}/{name}"),
    }
}

struct Named {
    name: CString,
    kind: FileType,
}

fn names(directory: &OwnedFd) -> Result<Vec<Named>, Errno> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(Named { name: name.to_owned(), kind: entry.file_type() });
        }
    }
    names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn what_vanishes_during_the_walk_is_an_error_that_says_so() {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("css")).unwrap();
        let root = fs::File::open(directory.path()).unwrap();
        let tree = Tree { root: root.as_fd(), name: "site/" };
        let opened = tree.open("css").unwrap();
        for kind in [FileType::RegularFile, FileType::Symlink, FileType::Unknown] {
            let named = Named { name: c"a.css".to_owned(), kind };
            let error = tree.look(opened.as_fd(), "css", &named).err().unwrap();
            assert_eq!(error.to_string(), "`site/css/a.css` vanished while it was being hashed");
        }
        let error = tree.list("js").err().unwrap();
        assert_eq!(error.to_string(), "`site/js` vanished while it was being hashed");
    }

    #[test]
    fn entry_is_found_where_the_file_system_does_not_tell_its_kind() {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("directory")).unwrap();
        fs::write(directory.path().join("file"), "content").unwrap();
        std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
        let root = fs::File::open(directory.path()).unwrap();
        let tree = Tree { root: root.as_fd(), name: "site" };
        let look = |name: &CStr| {
            let named = Named { name: name.to_owned(), kind: FileType::Unknown };
            tree.look(root.as_fd(), "", &named).ok().unwrap().kind
        };
        assert!(matches!(look(c"directory"), FoundKind::Directory));
        assert!(matches!(look(c"file"), FoundKind::File { stamp, .. } if stamp.size == 7));
        assert!(matches!(look(c"link"), FoundKind::Link { target } if target == "file"));
    }
}
