//! What a machine is asked to do.

use crate::Archive;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One thing to do on a machine, as root unless it says otherwise.
#[derive(Debug, Clone)]
pub enum Op {
    /// Lay an archive over what is there.
    Unpack(Unpack),
    /// Run a command. A status other than 0 is a failure.
    Exec(Exec),
    /// Remove a path with everything below it. A path that is not there is no error.
    Remove {
        /// Absolute, without `..`, not `/`.
        path: String,
    },
}

/// Lays an archive over what is below a directory: files and links replace files and links, directories merge.
///
/// A link to a directory counts as that directory. Missing parents are made, owned by root, with mode `0755`.
/// What is in the way and cannot be replaced (a directory with content where a file comes) is an error.
#[derive(Debug, Clone)]
pub struct Unpack {
    /// The directory that the archive's paths are relative to; made if missing. `/` for a whole path in the
    /// archive.
    pub into: String,
    /// Who owns what is unpacked. The archive is written with the numbers that this resolves to on the machine.
    pub owner: Owner,
    /// What becomes of directories that are there already.
    pub directories: Directories,
    /// The content.
    pub archive: Archive,
}

/// What becomes of a directory that is there when an archive has one of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directories {
    /// It keeps its owner and mode.
    Keep,
    /// It takes those of the archive.
    Replace,
}

/// A user and a group by name or number, resolved by the machine's own accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// A user's name or number. A number that no account has stands for itself, and is its own group.
    pub user: String,
    /// A group's name or number; `None`: the user's primary group.
    pub group: Option<String>,
}

impl Owner {
    /// `root` and its group.
    #[must_use]
    pub fn root() -> Self {
        Self { user: "root".into(), group: None }
    }

    /// The numbers, where no machine needs to be asked.
    pub(crate) fn fixed(&self) -> Option<Ids> {
        let number = |text: &str| match text {
            "root" => Some(0),
            text => text.parse().ok(),
        };
        let uid = number(&self.user)?;
        let gid = match &self.group {
            Some(group) => number(group)?,
            None if uid == 0 => 0,
            None => return None,
        };
        Some(Ids { uid, gid })
    }
}

/// What an [`Owner`] is on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
}

/// Runs a command, in a session and process group of its own, with `/dev/null` as standard input.
///
/// Its environment holds `PATH`, `HOME`, `LANG=C.UTF-8`, and what is said here. Neither its text nor its
/// environment is in any process's arguments, and what is uploaded for it is gone afterwards.
#[derive(Debug, Clone)]
pub struct Exec {
    /// What to run.
    pub program: Program,
    /// Its environment, on top of that named above.
    pub env: BTreeMap<String, String>,
    /// Where; `None`: `/`.
    pub cwd: Option<String>,
    /// As whom, and perhaps in which group; `None`: root.
    pub user: Option<Owner>,
    /// How long it may take. Afterwards its whole process group is terminated, and killed 5 s later.
    pub time_limit: Option<Duration>,
    /// Files that it finds in a directory of its own.
    pub files: Option<Files>,
}

impl Exec {
    /// This program, as root in `/`.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self { program, env: BTreeMap::new(), cwd: None, user: None, time_limit: None, files: None }
    }

    /// Text for `/bin/sh -e`, as root in `/`.
    #[must_use]
    pub fn shell(text: impl Into<String>) -> Self {
        Self::new(Program::Shell(text.into()))
    }

    /// A program and its arguments, as root in `/`.
    #[must_use]
    pub fn argv<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self::new(Program::Argv(argv.into_iter().map(Into::into).collect()))
    }
}

/// What an [`Exec`] runs.
#[derive(Debug, Clone)]
pub enum Program {
    /// A program, looked up in `PATH`, and its arguments. These are visible to `ps`, as arguments are.
    Argv(Vec<String>),
    /// Text for `/bin/sh -e`.
    Shell(String),
    /// A file that is run by its `#!` line.
    Script {
        /// What it is called: a file name.
        name: String,
        /// Its bytes.
        content: Arc<[u8]>,
        /// Its arguments.
        args: Vec<String>,
    },
}

/// Files that a command finds in a directory of its own, owned by the command's user.
#[derive(Debug, Clone)]
pub struct Files {
    /// The environment variable that names the directory.
    pub variable: String,
    /// Its content.
    pub archive: Archive,
    /// Where it is kept while the command runs.
    pub medium: Medium,
}

/// Where uploaded files are while a command needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// In memory: for secrets, that must not reach a disk of which snapshots are taken.
    Memory,
    /// On the disk, below `/var/tmp`: for what is large.
    Disk,
}
