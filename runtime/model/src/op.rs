//! The narrow waist: the few primitives that steps lower to and builders execute.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One primitive action of a builder.
///
/// A new step touches no driver and a new driver touches no step: this is all they share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Put a file, a tree, a directory or a link into the image.
    Put(Put),
    /// Run a command in the image.
    Exec(Exec),
    /// Remove a path, with everything below it. A path that is not there is no error.
    Remove {
        /// Absolute path in the image.
        dest: String,
    },
    /// Restart the machine and wait until it is up again. Where none runs, as in a container, nothing happens.
    Reboot,
}

/// Put something at a path. Missing parents are made with mode `0755`, owned by root.
///
/// A file or link replaces a file or link that is there; a tree is laid over a directory that is there.
/// Links in the path are followed inside the image, never out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Absolute path in the image. Ends in `/` to put a file into that directory under its own name.
    pub dest: String,
    /// What to put there.
    pub source: Source,
    /// The mode of files; `None`: `0755` for an input that its owner may execute, else `0644`.
    pub mode: Option<Mode>,
    /// The mode of directories; `None`: `0755`.
    pub directory_mode: Option<Mode>,
    /// Who owns it.
    pub owner: Owner,
}

/// What a [`Put`] puts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file or a tree, relative to the root of the image's recipe.
    Path(String),
    /// This text, as a file.
    Inline(String),
    /// A minijinja template, rendered with these variables.
    Template {
        /// The template, relative to the root of the image's recipe.
        path: String,
        /// Its variables.
        vars: BTreeMap<String, serde_json::Value>,
    },
    /// An empty directory. One that is there keeps its content and takes mode and owner.
    Directory,
    /// A symbolic link to this target.
    Link(String),
}

/// Permission, set-id and sticky bits: `0..=0o7777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mode(pub u32);

/// Owner by name, resolved in the image's own `/etc/passwd` and `/etc/group` (or numbers).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User name or number.
    pub user: String,
    /// Group name or number; `None`: the user's primary group.
    pub group: Option<String>,
}

impl Owner {
    /// `root:root`.
    pub fn root() -> Self {
        Self { user: "root".into(), group: None }
    }

    /// Reads `user` or `user:group`.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((user, group)) => Self { user: user.into(), group: Some(group.into()) },
            None => Self { user: text.into(), group: None },
        }
    }
}

/// Run a command. A status other than 0 fails the layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// What to run.
    pub command: Command,
    /// Its environment, on top of `PATH`, `HOME`, `LANG=C.UTF-8` and `SOURCE_DATE_EPOCH`.
    pub env: BTreeMap<String, String>,
    /// Where; `None`: `/`.
    pub cwd: Option<String>,
    /// As whom; `None`: root.
    pub user: Option<String>,
    /// Whether the network of the builder is reachable. Without it there is a loopback interface only.
    pub network: bool,
    /// Bounds. They do not change what a command that succeeds makes, so they stay out of keys.
    pub limits: Limits,
    /// What this command needs from outside, resolved once into `kiln.lock`.
    pub resolve: Option<Resolve>,
}

/// What an [`Exec`] runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The program and its arguments, no shell.
    Argv(Vec<String>),
    /// Text for `/bin/sh -e`.
    Shell(String),
    /// A file of the recipe, run by its `#!` line. It is not left in the image.
    Script {
        /// Relative to the root of the image's recipe.
        path: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

/// Bounds of one command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Milliseconds of wall time; `None`: the builder's default, an hour.
    pub time_ms: Option<u64>,
    /// Bytes of memory; `None`: no bound.
    pub memory: Option<u64>,
}

/// How an [`Exec`] finds out which files it needs from outside.
///
/// When `kiln.lock` has no entry, the builder runs `script` in a throw-away copy of the session, with
/// network. Each line of its standard output names one file: `sha256:HEX SIZE VERSION URL`. The list
/// becomes the lock entry; every run of the command then finds exactly those files, verified, in the
/// directory named by `KILN_FILES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// What is asked for, in words: `apt nginx ca-certificates`. Names the entry in `kiln.lock`.
    pub request: String,
    /// Text for `/bin/sh -e` that prints the list.
    pub script: String,
}
