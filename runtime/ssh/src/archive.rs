//! The content of an unpacking: written on demand, perhaps more than once.

use crate::Ids;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

type WriteTar = dyn Fn(&mut dyn Write, Ids) -> io::Result<()> + Send + Sync;

/// Writes a tar archive whenever it is needed: again, after a connection broke.
///
/// It is called on a thread that may block. Paths in the archive are relative; owners are the numbers that it is
/// given; names of owners are left empty. Compression is not its business: the stream is compressed where that
/// pays, so that files go in as they are.
#[derive(Clone)]
pub struct Archive(Arc<WriteTar>);

impl Archive {
    /// An archive that this function writes. An error it returns ends the op, and is in the source chain of the
    /// op's error; nothing half-written stays unnoticed on the machine.
    pub fn new(
        write: impl Fn(&mut dyn Write, Ids) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(write))
    }

    pub(crate) fn write(&self, to: &mut dyn Write, ids: Ids) -> io::Result<()> {
        (self.0)(to, ids)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Archive(…)")
    }
}
