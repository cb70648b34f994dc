use crate::Digest;
use std::io::Write;
use std::path::Path;

/// Writes bytes behind their checksum: to a temporary name in `tmp` (on the same file system), then
/// renamed. Readers see the old content or the new.
///
/// It is not flushed to disk, which would cost more than most layers: what a power loss has torn is
/// found by its checksum, and is built again.
///
/// # Errors
/// When a directory or the file cannot be written.
pub fn write_checked(tmp: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = tempfile::NamedTempFile::new_in(tmp)?;
    file.write_all(Digest::of(bytes).as_bytes())?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Reads what [`write_checked`] wrote. `None` when it is not there; what is damaged is removed and counts
/// as not there.
#[must_use]
pub fn read_checked(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let intact = bytes.len() >= 32 && Digest::of(&bytes[32..]).as_bytes()[..] == bytes[..32];
    if intact {
        bytes.drain(..32);
        return Some(bytes);
    }
    // Another process may have replaced it meanwhile: at worst a good record is built again.
    let _ = std::fs::remove_file(path);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        write_checked(folder.path(), &path, b"content").unwrap();
        assert_eq!(read_checked(&path).as_deref(), Some(&b"content"[..]));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[35] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_checked(&path), None);
        assert!(!path.exists());
    }

    #[test]
    fn a_cut_file_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"short").unwrap();
        assert_eq!(read_checked(&path), None);
        assert!(!path.exists());
    }
}
