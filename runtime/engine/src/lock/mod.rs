//! `kiln.lock`: everything that comes from outside, resolved once.

mod change;
mod entry;
mod file;
mod locked;
mod locked_file;

pub(crate) use change::first_change;
pub use change::{Change, changes_of};
pub use entry::EntryId;
pub use file::LockFile;
pub use locked::{Locked, LockedImage};
pub use locked_file::LockedFile;
