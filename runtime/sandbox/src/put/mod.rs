//! Writes below the root of an image, never out of it, whatever links the image holds.

mod file;
mod root;
mod tree;

pub(crate) use root::Root;

use crate::accounts::Accounts;
use kiln::Mode;
use kiln_engine::Error;
use kiln_engine::driver::{Content, PutAction};

/// Mode and owner of what is written, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placing {
    pub(crate) mode: Option<u32>,
    pub(crate) directory_mode: Option<u32>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Placing {
    fn file_mode(&self, executable: bool) -> u32 {
        self.mode.unwrap_or(if executable { 0o755 } else { 0o644 })
    }
}

/// Executes a [`PutAction`].
pub(crate) fn put(root: &Root, action: &PutAction) -> Result<(), Error> {
    let dest = action.dest.as_str();
    root.refuse_unseen(dest)?;
    let (uid, gid) = Accounts::of(root)?.owner(&action.owner)?;
    let placing = Placing {
        mode: action.mode.map(|Mode(mode)| mode),
        directory_mode: action.directory_mode.map(|Mode(mode)| mode),
        uid,
        gid,
    };
    match &action.content {
        Content::File { path, digest, executable } => {
            let source = file::Source::open(path, path)?;
            let (parent, name) = root.make_parent(dest)?;
            let mode = placing.file_mode(*executable);
            file::write(&parent, name, dest, file::From::Input(source, *digest), mode, &placing)
        }
        Content::Bytes(bytes) => {
            let (parent, name) = root.make_parent(dest)?;
            let mode = placing.file_mode(false);
            file::write(&parent, name, dest, file::From::Bytes(bytes), mode, &placing)
        }
        Content::Link(target) => {
            let (parent, name) = root.make_parent(dest)?;
            file::link(&parent, name, dest, target, &placing)
        }
        Content::Directory => tree::directory(root, dest, &placing),
        Content::Tree { root: from, manifest } => tree::lay(root, dest, from, manifest, &placing),
    }
}

/// Removes what is at a path, and what is below it, without following a link there.
pub(crate) fn remove(root: &Root, dest: &str) -> Result<(), Error> {
    root.refuse_unseen(dest)?;
    file::remove(root, dest)
}
