use crate::Digest;
use crate::inputs::Manifest;
use crate::lock::LockedFile;
use kiln::{Limits, Mode, Owner};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// An op with its inputs resolved: what a session executes.
#[derive(Debug, Clone)]
pub enum Action {
    /// See [`kiln::Put`].
    Put(PutAction),
    /// See [`kiln::Exec`].
    Exec(ExecAction),
    /// Remove this path and what is below it. A path that is not there is no error.
    Remove {
        /// Absolute path in the image.
        dest: String,
    },
    /// Restart the machine, where one runs.
    Reboot,
}

/// See [`kiln::Put`].
#[derive(Debug, Clone)]
pub struct PutAction {
    /// Absolute path in the image, never ending in `/`.
    pub dest: String,
    /// What to put there.
    pub content: Content,
    /// The mode of files; `None`: `0755` where the content is executable, else `0644`.
    pub mode: Option<Mode>,
    /// The mode of directories; `None`: `0755`.
    pub directory_mode: Option<Mode>,
    /// Who owns it.
    pub owner: Owner,
}

/// What a [`PutAction`] puts.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file of the recipe. The driver hashes what it reads and fails when the digest differs: the
    /// file changed after it was planned.
    File {
        /// On this machine.
        path: PathBuf,
        /// Of its content.
        digest: Digest,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A tree of the recipe, whose content becomes the content of the destination.
    Tree {
        /// On this machine.
        root: PathBuf,
        /// What is below it, with digests to verify.
        manifest: Arc<Manifest>,
    },
    /// These bytes, as a file.
    Bytes(Arc<[u8]>),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(String),
}

/// See [`kiln::Exec`].
#[derive(Debug, Clone)]
pub struct ExecAction {
    /// What to run.
    pub program: Program,
    /// Its environment, on top of the driver's.
    pub env: BTreeMap<String, String>,
    /// Where; `None`: `/`.
    pub cwd: Option<String>,
    /// As whom; `None`: root.
    pub user: Option<String>,
    /// Whether the network is reachable.
    pub network: bool,
    /// Bounds.
    pub limits: Limits,
    /// The locked files that it finds in the directory named by `KILN_FILES`, each under the last
    /// component of its URL; `None`: it asked for none, and the variable is not set.
    pub files: Option<Vec<LockedFile>>,
}

/// What an [`ExecAction`] runs.
#[derive(Debug, Clone)]
pub enum Program {
    /// The program and its arguments, no shell.
    Argv(Vec<String>),
    /// Text for `/bin/sh -e`.
    Shell(String),
    /// A file of the recipe, run by its `#!` line and not left in the image.
    Script {
        /// On this machine.
        path: PathBuf,
        /// Of its content, to verify.
        digest: Digest,
        /// Its arguments.
        args: Vec<String>,
    },
}
