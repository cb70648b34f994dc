use super::{Entry, EntryKind, Manifest};
use std::cmp::Ordering;
use std::fmt;

/// The first entry in which two trees differ. As text: `index.html changed`, path in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Relative to the root of the trees.
    pub path: String,
    /// What happened to it.
    pub change: Change,
}

/// What happened to an entry of a tree. As text: the predicate of a sentence about its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// Its bytes are others.
    Content,
    /// The same bytes, and its owner may now execute it or not.
    Executable(bool),
    /// The link points elsewhere.
    Target {
        /// Where it pointed.
        before: String,
        /// Where it points.
        after: String,
    },
    /// A file became a link, and so on.
    Kind {
        /// `directory`, `file` or `link`.
        before: &'static str,
        /// `directory`, `file` or `link`.
        after: &'static str,
    },
}

impl Manifest {
    /// The first path, in the order of paths, in which `later` differs from this one.
    #[must_use]
    pub fn first_difference(&self, later: &Self) -> Option<Difference> {
        let (mut before, mut after) = (self.entries.iter(), later.entries.iter());
        loop {
            let (entry, change) = match (before.next(), after.next()) {
                (None, None) => return None,
                (Some(old), None) => (old, Change::Removed),
                (None, Some(new)) => (new, Change::Added),
                (Some(old), Some(new)) => match old.path.cmp(&new.path) {
                    Ordering::Less => (old, Change::Removed),
                    Ordering::Greater => (new, Change::Added),
                    Ordering::Equal => match change(old, new) {
                        Some(change) => (new, change),
                        None => continue,
                    },
                },
            };
            return Some(Difference { path: entry.path.clone(), change });
        }
    }
}

fn change(before: &Entry, after: &Entry) -> Option<Change> {
    if before.kind == after.kind {
        return None;
    }
    Some(match (&before.kind, &after.kind) {
        (
            EntryKind::File { digest: before, size: _, executable: _ },
            EntryKind::File { digest: after, size: _, executable },
        ) => {
            if before == after {
                Change::Executable(*executable)
            } else {
                Change::Content
            }
        }
        (EntryKind::Link { target: before }, EntryKind::Link { target: after }) => {
            Change::Target { before: before.clone(), after: after.clone() }
        }
        (before, after) => Change::Kind { before: noun(before), after: noun(after) },
    })
}

fn noun(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Directory => "directory",
        EntryKind::File { .. } => "file",
        EntryKind::Link { .. } => "link",
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.change)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("was added"),
            Self::Removed => f.write_str("was removed"),
            Self::Content => f.write_str("changed"),
            Self::Executable(true) => f.write_str("became executable"),
            Self::Executable(false) => f.write_str("is no longer executable"),
            Self::Target { before, after } => {
                write!(f, "points to `{after}` instead of `{before}`")
            }
            Self::Kind { before, after } => write!(f, "is a {after} instead of a {before}"),
        }
    }
}
