use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// 64 lowercase hexadecimal digits.
pub(super) fn hex(hasher: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The digest of these bytes, as [`hex`].
pub(super) fn hex_of(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    hex(hasher)
}

/// Passes bytes on, counted and hashed.
pub(super) struct Hashed<T> {
    inner: T,
    hasher: Sha256,
    bytes: u64,
}

impl<T> Hashed<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// What was passed on to, the digest of what was passed, and how many bytes that was.
    pub(super) fn finish(self) -> (T, String, u64) {
        (self.inner, hex(self.hasher), self.bytes)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads what must have a digest and a size; its end is an error when it has not.
///
/// Whoever reads it believes nothing until [`Verified::finish`] has said so.
pub(super) struct Verified<R> {
    inner: Hashed<R>,
    sha256: String,
    size: u64,
}

impl<R: Read> Verified<R> {
    pub(super) fn new(inner: R, sha256: String, size: u64) -> Self {
        Self { inner: Hashed::new(inner), sha256, size }
    }

    /// Reads to the end and compares.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        let (_, sha256, bytes) = self.inner.finish();
        if sha256 == self.sha256 && bytes == self.size {
            return Ok(());
        }
        let expected = format!("sha256:{} of {} bytes", self.sha256, self.size);
        Err(damaged(format!("its content is sha256:{sha256} of {bytes} bytes, not {expected}")))
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if self.inner.bytes > self.size {
            return Err(damaged(format!(
                "it has more than the {} bytes that it should",
                self.size
            )));
        }
        Ok(read)
    }
}

fn damaged(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(content: &[u8], sha256: &str, size: u64) -> io::Result<()> {
        Verified::new(content, sha256.to_owned(), size).finish()
    }

    #[test]
    fn only_the_right_content_is_verified() {
        let sha256 = hex_of(b"content");
        assert!(verified(b"content", &sha256, 7).is_ok());
        assert!(verified(b"Content", &sha256, 7).is_err());
        assert!(verified(b"conten", &sha256, 7).is_err());
        assert!(verified(b"content", &sha256, 6).is_err());
        assert!(verified(b"content", &sha256, 8).is_err());
    }
}
