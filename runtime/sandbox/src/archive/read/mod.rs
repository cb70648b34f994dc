//! Members of an archive, one after the other.

mod holes;

use super::limits::Limits;
use super::member::{Kind, Member, broken, refused};
use super::pax::{self, Records};
use super::sparse::SparseMap;
use kiln_engine::Error;
use std::collections::BTreeMap;
use std::io::{self, Read};
use tar::Header;

/// Bytes of a block of a tar archive.
pub(crate) const BLOCK: usize = 512;

/// The members of a tar archive, one after the other, their headers merged and bounded.
///
/// It understands ustar, GNU and PAX headers. As [`Read`] it yields the stored content of the last
/// member; an archive that ends within it is an error there.
pub(crate) struct Members<R> {
    reader: R,
    limits: Limits,
    position: u64,
    count: u64,
    headers: u64,
    defaults: Records,
    content: u64,
    padding: u64,
}

/// What the extended headers before a member say about it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Records,
    bytes: u64,
}

impl<R: Read> Members<R> {
    /// Reads the archive from its first byte.
    pub(crate) fn new(reader: R, limits: Limits) -> Self {
        Self {
            reader,
            limits,
            position: 0,
            count: 0,
            headers: 0,
            defaults: Records::new(),
            content: 0,
            padding: 0,
        }
    }

    /// The next member; what is left of the content of the last one is skipped. `None` after the mark
    /// that ends an archive.
    ///
    /// # Errors
    /// When the archive is broken or beyond its limits.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Error> {
        self.skip(self.content + self.padding)?;
        (self.content, self.padding) = (0, 0);
        let start = self.position;
        let mut extension = Extension::default();
        loop {
            let at = self.position;
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                if extension.bytes > 0 {
                    return Err(broken(at, "extended headers without a member"));
                }
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            check_sum(header, at)?;
            let size = header.entry_size().map_err(|_| broken(at, "a size that is no number"))?;
            match header.entry_type().as_byte() {
                b'L' => extension.name = Some(self.text(&mut extension.bytes, size)?),
                b'K' => extension.link = Some(self.text(&mut extension.bytes, size)?),
                b'x' => {
                    let bytes = self.extended(&mut extension.bytes, size)?;
                    extension.records.extend(pax::parse(&bytes).map_err(|why| broken(at, why))?);
                }
                b'g' => {
                    let bytes = self.extended(&mut extension.bytes, size)?;
                    extension.bytes = 0;
                    self.defaults.extend(pax::parse(&bytes).map_err(|why| broken(at, why))?);
                    // What names one member cannot be said of all.
                    self.defaults.retain(|(key, _)| !is_of_one_member(key));
                    let kept: usize =
                        self.defaults.iter().map(|(key, value)| key.len() + value.len()).sum();
                    if kept as u64 > self.limits.extension {
                        return Err(broken(at, "too large global headers"));
                    }
                }
                // A volume's label is no file.
                b'V' => self.skip(padded(size))?,
                _ => return self.member(start, header, size, extension).map(Some),
            }
        }
    }

    /// Reads what follows the archive, so that a check at the end of the stream is made.
    ///
    /// # Errors
    /// When the stream is broken.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let at = self.position;
        io::copy(&mut self.reader, &mut io::sink())
            .map(|_| ())
            .map_err(|error| broken(at, "what follows it cannot be read").caused_by(error))
    }

    fn member(
        &mut self,
        position: u64,
        header: &Header,
        size: u64,
        extension: Extension,
    ) -> Result<Member, Error> {
        self.count += 1;
        if self.count > self.limits.members {
            return Err(broken(position, format!("more than {} members", self.limits.members)));
        }
        let mut records: BTreeMap<Vec<u8>, Vec<u8>> = self.defaults.iter().cloned().collect();
        records.extend(extension.records.iter().cloned());
        let text =
            |key: &str| records.get(key.as_bytes()).filter(|value| !value.is_empty()).cloned();
        let name = text("GNU.sparse.name")
            .or_else(|| text("path"))
            .or(extension.name)
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let refuse = |why: &str| refused(&name, position, why);
        let number = |key: &str| match text(key) {
            None => Ok(None),
            Some(value) => pax::number(&value)
                .map(Some)
                .ok_or_else(|| refuse(&format!("has a PAX record `{key}` that is no number"))),
        };
        let id = |key: &str, plain: io::Result<u64>| {
            let id = match number(key)? {
                Some(id) => Some(id),
                None => plain.ok(),
            };
            // The highest is what system calls take for "leave it as it is".
            id.and_then(|id| u32::try_from(id).ok())
                .filter(|id| *id != u32::MAX)
                .ok_or_else(|| refuse(&format!("has a malformed `{key}`")))
        };
        let (uid, gid) = (id("uid", header.uid())?, id("gid", header.gid())?);
        let mode = header.mode().map_err(|_| refuse("has a malformed mode"))? & 0o7777;
        let size = number("size")?.unwrap_or(size);
        let link = || {
            let link = text("linkpath").or(extension.link.clone());
            let link = link.or_else(|| header.link_name_bytes().map(|link| link.into_owned()));
            match link {
                Some(link) if link.len() > self.limits.path => Err(refuse("has too long a target")),
                Some(link) if !link.is_empty() && !link.contains(&0) => Ok(link),
                _ => Err(refuse("is a link without a target")),
            }
        };
        let device = || match (header.device_major(), header.device_minor()) {
            (Ok(Some(major)), Ok(Some(minor))) => Ok((major, minor)),
            _ => Err(refuse("is a device without a number")),
        };
        let xattrs = records
            .iter()
            .filter_map(|(key, value)| {
                Some((key.strip_prefix(pax::XATTR)?.to_vec(), value.clone()))
            })
            .collect();

        let mut kind = match header.entry_type().as_byte() {
            b'0' | 0
                if header.as_ustar().is_none()
                    && header.as_gnu().is_none()
                    && name.ends_with(b"/") =>
            {
                Kind::Directory
            }
            b'0' | 0 | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink(link()?),
            b'2' => Kind::Symlink(link()?),
            b'3' => device().map(|(major, minor)| Kind::CharDevice(major, minor))?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice(major, minor))?,
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => {
                let flag = char::from(other).escape_default();
                return Err(refuse(&format!("is of the unknown type `{flag}`")));
            }
        };
        // Beyond what a file can have, and far from the end of what the position can count.
        if i64::try_from(size).is_err() {
            return Err(refuse("has an impossible size"));
        }
        self.content = size;
        self.padding = padded(size) - size;
        if matches!(kind, Kind::File) {
            let is_gnu = header.entry_type().as_byte() == b'S';
            let map = if is_gnu {
                Some(self.gnu_map(header, &name, position)?)
            } else {
                self.pax_map(&records, &extension.records, &name, position)?
            };
            if let Some((size, parts)) = map {
                let map = SparseMap::new(size, parts, self.content)
                    .map_err(|why| refused(&name, position, why))?;
                kind = Kind::Sparse(map);
            }
        }
        Ok(Member { position, name, kind, mode, uid, gid, xattrs })
    }

    /// The content of an extended header that is one text, ended by a NUL byte.
    fn text(&mut self, used: &mut u64, size: u64) -> Result<Vec<u8>, Error> {
        let mut text = self.extended(used, size)?;
        if text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    fn extended(&mut self, used: &mut u64, size: u64) -> Result<Vec<u8>, Error> {
        let at = self.position;
        *used = used.saturating_add(size).saturating_add(1);
        if *used > self.limits.extension {
            let most = self.limits.extension;
            return Err(broken(at, format!("extended headers of more than {most} bytes")));
        }
        let mut bytes =
            vec![0; usize::try_from(size).map_err(|_| broken(at, "too large a header"))?];
        self.fill(&mut bytes)?;
        self.skip(padded(size) - size)?;
        self.count_headers(size)?;
        Ok(bytes)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Error> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        self.count_headers(BLOCK as u64)?;
        Ok(block)
    }

    fn count_headers(&mut self, bytes: u64) -> Result<(), Error> {
        self.headers += bytes;
        if self.headers > self.limits.headers {
            let most = self.limits.headers;
            return Err(broken(self.position, format!("headers of more than {most} bytes")));
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let at = self.position;
        self.reader.read_exact(buffer).map_err(|error| truncated(at, error))?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let at = self.position;
        let skipped = io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink())
            .map_err(|error| truncated(at, error))?;
        self.position += skipped;
        if skipped < bytes {
            return Err(truncated(self.position, io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends here"));
        }
        self.content -= read as u64;
        self.position += read as u64;
        Ok(read)
    }
}

fn truncated(at: u64, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        broken(at, "it ends in the middle").caused_by(error)
    } else {
        broken(at, "it cannot be read on").caused_by(error)
    }
}

fn check_sum(header: &Header, at: u64) -> Result<(), Error> {
    let (before, field, after) = {
        let bytes = header.as_bytes();
        (&bytes[..148], &bytes[148..156], &bytes[156..])
    };
    let sum = before.iter().chain(after).map(|byte| u32::from(*byte)).sum::<u32>()
        + field.len() as u32 * u32::from(b' ');
    if header.cksum().ok() == Some(sum) {
        Ok(())
    } else {
        Err(broken(at, "no tar header (its checksum is wrong)"))
    }
}

fn is_of_one_member(key: &[u8]) -> bool {
    key == b"path" || key == b"linkpath" || key == b"size" || key.starts_with(b"GNU.sparse.")
}

/// Rounded up to whole blocks.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX - 511)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(members: usize, limits: Limits) -> Result<usize, Error> {
        let mut archive = Vec::new();
        for _ in 0..members {
            let mut header = Header::new_ustar();
            header.set_path("x").unwrap();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
        }
        archive.extend_from_slice(&[0; 2 * BLOCK]);
        let mut reader = Members::new(&archive[..], limits);
        let mut count = 0;
        while reader.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn archives_are_read_up_to_their_limits_and_not_beyond() {
        let limits = Limits { members: 3, ..Limits::FOREIGN };
        assert_eq!(count(3, limits).unwrap(), 3);
        assert!(count(4, limits).unwrap_err().to_string().contains("more than 3 members"));
        // Three headers and the first block of the end.
        let limits = Limits { headers: 4 * BLOCK as u64, ..Limits::FOREIGN };
        assert_eq!(count(3, limits).unwrap(), 3);
        assert!(count(4, limits).unwrap_err().to_string().contains("more than 2048 bytes"));
    }
}
