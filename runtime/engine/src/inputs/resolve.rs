//! From what a recipe names to a path without links, and the errors of both.

use crate::Error;
use rustix::io::Errno;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The path named `relative` below `root`, with every link followed.
///
/// # Errors
/// Where there is nothing, or it is not below `root`: an input outside would not travel with the recipe.
pub(super) fn resolve(root: &Path, relative: &str) -> Result<PathBuf, Error> {
    let path = Path::new(relative);
    if path.has_root() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Error::input(format!("`{relative}` is not below `{}`", root.display()))
            .help("name a path that is relative to the recipe's package, without `..`"));
    }
    let named = root.join(path);
    let target = named.canonicalize().map_err(|error| not_resolved(root, relative, &error))?;
    let root = root.canonicalize().map_err(|error| not_resolved(root, "", &error))?;
    if target.starts_with(&root) {
        return Ok(target);
    }
    Err(Error::input(format!("`{relative}` is a link out of `{}`", root.display()))
        .help("put what it points to below that directory"))
}

fn not_resolved(root: &Path, relative: &str, error: &io::Error) -> Error {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    if errno != Errno::NOENT {
        return denied(relative, errno);
    }
    if root.join(relative).symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return Error::input(format!("`{relative}` is a link to nothing"))
            .help("create what it points to, or remove it from the recipe");
    }
    Error::input(format!("`{relative}` was not found in `{}`", root.display()))
        .help("create it, or correct the path in the recipe")
}

/// The error for an input that could not be opened.
pub(super) fn denied(name: &str, errno: Errno) -> Error {
    match errno {
        Errno::NOENT => vanished(name),
        Errno::ACCESS | Errno::PERM => Error::input(format!("`{name}` may not be read"))
            .help("make it readable for the user that runs kiln"),
        Errno::NOTDIR => Error::input(format!("`{name}` is not a directory"))
            .help("name a file without `/` at the end"),
        Errno::LOOP => Error::input(format!("`{name}` is a link that leads in a circle"))
            .help("correct the link"),
        _ => unreadable(name, errno),
    }
}

/// The error for an input that could be opened and then not be read.
pub(super) fn unreadable(name: &str, errno: Errno) -> Error {
    let message = format!("`{name}` cannot be read");
    let error = match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO => Error::environment(message),
        _ => Error::input(message),
    };
    error.caused_by(io::Error::from(errno)).help("look at the file, its file system and its device")
}

/// The error for an input that was there a moment ago.
pub(super) fn vanished(name: &str) -> Error {
    Error::input(format!("`{name}` vanished while it was being hashed"))
        .help("wait until the program that removes it has finished, then try again")
}

/// The error for sockets, pipes and devices; `what` with its article.
pub(super) fn unsupported(name: &str, what: &str) -> Error {
    Error::input(format!("`{name}` is {what}: it has no content that could be copied"))
        .help("remove it, or move it out of the tree")
}

/// The error for names and link targets that are not UTF-8; `what` says which of the two.
pub(super) fn not_utf8(what: &str, name: &str) -> Error {
    Error::input(format!("{what} `{name}` is not UTF-8"))
        .help("rename it: documents and images carry UTF-8 names only")
}
