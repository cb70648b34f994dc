//! What `xtask` itself says, always on standard error: standard output is the host's.

use std::io::Write;

/// A line.
pub(crate) fn line(text: &str) {
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with its causes, and the help that a cause may carry.
pub(crate) fn error(error: &anyhow::Error) {
    line(&format!("error: {error:#}"));
}
