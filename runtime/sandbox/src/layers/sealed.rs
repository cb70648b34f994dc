//! Small files that say by themselves whether they are whole.

use crate::fault::Fault;
use kiln_engine::{Digest, Error};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const DIGEST: usize = 32;

/// The body of a file; `None` when it is not there or not whole.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let body = bytes.split_off(DIGEST.min(bytes.len()));
    (bytes == Digest::of(&body).as_bytes()).then_some(body)
}

/// Writes a file under a temporary name in `staging`, on the same file system, then renames it.
pub(super) fn write(path: &Path, body: &[u8], staging: &Path) -> Result<(), Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let staged = staging.join(format!("sealed-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let mut bytes = Digest::of(body).as_bytes().to_vec();
    bytes.extend_from_slice(body);
    std::fs::write(&staged, bytes).doing("write", &staged)?;
    std::fs::rename(&staged, path).doing("write", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_is_a_miss() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert_eq!(read(&path), None);
        write(&path, b"body", dir.path()).unwrap();
        assert_eq!(read(&path), Some(b"body".to_vec()));
        for damaged in [&b""[..], b"body", &[0; 36]] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(read(&path), None);
        }
    }
}
