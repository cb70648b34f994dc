//! `kiln.lock`: everything that comes from outside, resolved once.

mod locked_file;

pub use locked_file::LockedFile;
