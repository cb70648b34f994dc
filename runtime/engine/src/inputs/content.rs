//! The content of one file: its digest, and the stamp under which it was read.

use super::resolve::{denied, unreadable};
use super::stamp::{Stamp, executable, stamped_by_this_machine};
use crate::{Digest, Error};
use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode as Hashing, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fstat, fstatfs, openat};
use rustix::io::{Errno, pread, retry_on_intr};
use std::cell::RefCell;
use std::path::Path;

/// How often a file that changes under us is read before giving up.
const ATTEMPTS: usize = 3;

/// What was read of a file.
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) executable: bool,
    pub(super) stamp: Stamp,
    /// Whether the stamp may be compared with this machine's clock.
    pub(super) own_clock: bool,
}

/// Hashes the file at `path`, below `directory`, that errors call `name`.
///
/// # Errors
/// Where it is gone, unreadable, no regular file, or does not hold still.
pub(super) fn hash(directory: BorrowedFd<'_>, path: &Path, name: &str) -> Result<Content, Error> {
    hash_while(directory, path, name, || ())
}

/// As [`hash`]; `meanwhile` happens each time the content has been read and not yet been believed.
pub(super) fn hash_while(
    directory: BorrowedFd<'_>,
    path: &Path,
    name: &str,
    meanwhile: impl Fn(),
) -> Result<Content, Error> {
    for _ in 0..ATTEMPTS {
        let file = match open(directory, path) {
            // A link has taken its place.
            Err(Errno::LOOP) => continue,
            Err(errno) => return Err(denied(name, errno)),
            Ok(file) => file,
        };
        let before = fstat(&file).map_err(|errno| unreadable(name, errno))?;
        if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
            continue;
        }
        let stamp = Stamp::of(&before);
        let digest = digest(file.as_fd(), stamp.size).map_err(|errno| unreadable(name, errno))?;
        meanwhile();
        let after = fstat(&file).map_err(|errno| unreadable(name, errno))?;
        let Some(digest) = digest.filter(|_| Stamp::of(&after) == stamp) else { continue };
        let own_clock =
            fstatfs(&file).is_ok_and(|file_system| stamped_by_this_machine(&file_system));
        return Ok(Content { digest, executable: executable(&after), stamp, own_clock });
    }
    Err(changed(name))
}

/// The error for a file that does not hold still.
pub(super) fn changed(name: &str) -> Error {
    Error::input(format!("`{name}` changed while it was being hashed"))
        .help("wait until the program that writes it has finished, then try again")
}

/// Opens without following a link, and without waiting for the other end of a pipe.
pub(super) fn open(directory: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    retry_on_intr(|| openat(directory, path, flags, Mode::empty()))
}

/// What one thread reads and hashes at a time: bytes, a power of two.
///
/// Files are read, never mapped: a mapped file that somebody truncates kills the process, and a mapped
/// file counts as our memory. Reading costs nothing for it: 10 GiB in the page cache take two cores 0.77 s,
/// `b3sum`, which maps, 0.79 s (2026-11-20). From 256 KiB to 2 MiB the size makes no difference.
const SUBTREE: u64 = 512 * 1024;

/// blake3 of the first `size` bytes; `None` where the file is shorter.
fn digest(file: BorrowedFd<'_>, size: u64) -> Result<Option<Digest>, Errno> {
    if size <= SUBTREE {
        return with_bytes(file, 0, size, |bytes| Digest::from(blake3::hash(bytes)));
    }
    let (left, right) = halves(file, 0, size)?;
    Ok(left
        .zip(right)
        .map(|(left, right)| Digest::from(merge_subtrees_root(&left, &right, Hashing::Hash))))
}

/// The chaining value of these bytes, which are not the whole file.
fn chaining_value(
    file: BorrowedFd<'_>,
    offset: u64,
    length: u64,
) -> Result<Option<ChainingValue>, Errno> {
    if length <= SUBTREE {
        return with_bytes(file, offset, length, |bytes| {
            Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
        });
    }
    let (left, right) = halves(file, offset, length)?;
    Ok(left.zip(right).map(|(left, right)| merge_subtrees_non_root(&left, &right, Hashing::Hash)))
}

/// Both halves of these bytes, as blake3 halves them, in parallel.
fn halves(
    file: BorrowedFd<'_>,
    offset: u64,
    length: u64,
) -> Result<(Option<ChainingValue>, Option<ChainingValue>), Errno> {
    let middle = left_subtree_len(length);
    let (left, right) = rayon::join(
        || chaining_value(file, offset, middle),
        || chaining_value(file, offset + middle, length - middle),
    );
    Ok((left?, right?))
}

/// Reads these bytes into this thread's buffer; `None` where the file is shorter.
fn with_bytes<T>(
    file: BorrowedFd<'_>,
    offset: u64,
    length: u64,
    hash: impl FnOnce(&[u8]) -> T,
) -> Result<Option<T>, Errno> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SUBTREE as usize]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let bytes = &mut buffer[..length as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match retry_on_intr(|| pread(file, &mut bytes[filled..], offset + filled as u64))? {
                0 => return Ok(None),
                count => filled += count,
            }
        }
        Ok(Some(hash(bytes)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::cell::Cell;
    use std::fs;
    use std::io::Write;
    use tempfile::TempDir;

    fn append(path: &Path) {
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
    }

    #[test]
    fn file_that_changes_each_time_it_is_read_is_an_error() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "first").unwrap();
        let reads = Cell::new(0);
        let hashed = hash_while(CWD, &path, "site/log", || {
            reads.set(reads.get() + 1);
            append(&path);
        });
        let error = hashed.err().unwrap();
        assert_eq!(error.to_string(), "`site/log` changed while it was being hashed");
        assert!(error.help_text().is_some());
        assert_eq!(reads.get(), ATTEMPTS);
    }

    #[test]
    fn file_that_changes_once_is_read_again() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "first").unwrap();
        let reads = Cell::new(0);
        let hashed = hash_while(CWD, &path, "log", || {
            if reads.replace(reads.get() + 1) == 0 {
                append(&path);
            }
        });
        assert_eq!(hashed.ok().unwrap().digest, Digest::of(b"firstmore"));
        assert_eq!(reads.get(), 2);
    }

    #[test]
    fn file_that_is_cut_short_while_it_is_read_is_no_crash() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("big");
        fs::write(&path, vec![7; 8 * SUBTREE as usize]).unwrap();
        let file = fs::File::open(&path).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(SUBTREE).unwrap();
        assert_eq!(digest(file.as_fd(), 8 * SUBTREE).unwrap(), None);
    }

    #[test]
    fn link_in_the_place_of_a_file_is_not_followed() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        let error = hash(CWD, &path, "link").err().unwrap();
        assert_eq!(error.to_string(), "`link` changed while it was being hashed");
    }

    #[test]
    fn digest_is_remembered_only_where_the_file_system_has_our_clock() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "content").unwrap();
        let ours = hash(CWD, &path, "file").ok().unwrap();
        let foreign = hash(CWD, Path::new("/proc/version"), "version").ok().unwrap();
        assert!(ours.known("", i64::MAX).is_some());
        assert!(foreign.known("", i64::MAX).is_none());
    }

    #[test]
    fn file_that_is_gone_is_an_error() {
        let directory = TempDir::new().unwrap();
        let error = hash(CWD, &directory.path().join("gone"), "site/gone").err().unwrap();
        assert_eq!(error.to_string(), "`site/gone` vanished while it was being hashed");
    }

    #[test]
    fn digest_is_blake3_of_the_content_at_every_size_of_the_tree_of_subtrees() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("file");
        for subtrees in 0..=9 {
            for size in [-1025, -1, 0, 1, 1024, 1025] {
                let Some(size) = (subtrees * SUBTREE).checked_add_signed(size) else { continue };
                let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
                fs::write(&path, &bytes).unwrap();
                let content = hash(CWD, &path, "file").ok().unwrap();
                assert_eq!(content.digest, Digest::of(&bytes), "{size}");
                assert_eq!(content.stamp.size, size);
            }
        }
    }
}
