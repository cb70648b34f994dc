use super::EPOCH;
use super::metadata::Metadata;
use super::pax;
use super::read::BLOCK;
use std::io::{self, Write};
use tar::{EntryType, Header};

/// The highest owner that a plain header holds: seven octal digits.
const HIGHEST_ID: u32 = 0o777_7777;
/// The highest size that a plain header holds: eleven octal digits.
const HIGHEST_SIZE: u64 = 0o777_7777_7777;

/// Writes a tar archive whose bytes depend on what is put into it and on nothing else: plain ustar
/// headers, PAX records only for what those cannot hold, no names of users, one time for all.
pub(crate) struct TarWriter<W> {
    to: W,
    /// Bytes of the last member's content that are still to be padded.
    content: u64,
}

/// What a header describes besides its [`Metadata`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'a> {
    Directory,
    /// So many bytes follow.
    File(u64),
    HardLink(&'a [u8]),
    Symlink(&'a [u8]),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

impl<W: Write> TarWriter<W> {
    /// Begins an archive.
    pub(crate) fn new(to: W) -> Self {
        Self { to, content: 0 }
    }

    /// Writes a member's headers. Its content, if it has one, is written next, and in full.
    pub(crate) fn header(
        &mut self,
        name: &[u8],
        entry: Entry<'_>,
        metadata: &Metadata,
    ) -> io::Result<()> {
        self.pad()?;
        let mut header = Header::new_ustar();
        let mut records = Vec::new();
        header.set_mode(metadata.mode);
        header.set_mtime(EPOCH.unsigned_abs());
        for (key, id) in [("uid", metadata.uid), ("gid", metadata.gid)] {
            let plain = if id > HIGHEST_ID {
                pax::append(&mut records, key.as_bytes(), id.to_string().as_bytes());
                0
            } else {
                u64::from(id)
            };
            if key == "uid" { header.set_uid(plain) } else { header.set_gid(plain) }
        }
        header.set_device_major(0)?;
        header.set_device_minor(0)?;
        header.set_size(0);
        let kind = match entry {
            Entry::Directory => EntryType::Directory,
            Entry::File(size) => {
                if size > HIGHEST_SIZE {
                    pax::append(&mut records, b"size", size.to_string().as_bytes());
                } else {
                    header.set_size(size);
                }
                self.content = size;
                EntryType::Regular
            }
            Entry::HardLink(_) => EntryType::Link,
            Entry::Symlink(_) => EntryType::Symlink,
            Entry::CharDevice(major, minor) | Entry::BlockDevice(major, minor) => {
                header.set_device_major(major)?;
                header.set_device_minor(minor)?;
                if matches!(entry, Entry::CharDevice(..)) {
                    EntryType::Char
                } else {
                    EntryType::Block
                }
            }
            Entry::Fifo => EntryType::Fifo,
        };
        header.set_entry_type(kind);
        let bytes = header.as_mut_bytes();
        match split(name) {
            Some((prefix, name)) => {
                bytes[..name.len()].copy_from_slice(name);
                bytes[345..345 + prefix.len()].copy_from_slice(prefix);
            }
            None => {
                pax::append(&mut records, b"path", name);
                bytes[..100].copy_from_slice(&name[..100]);
            }
        }
        if let Entry::HardLink(target) | Entry::Symlink(target) = entry {
            if target.len() > 100 {
                pax::append(&mut records, b"linkpath", target);
            }
            let plain = &target[..target.len().min(100)];
            bytes[157..157 + plain.len()].copy_from_slice(plain);
        }
        for (key, value) in &metadata.xattrs {
            if key.contains(&b'=') {
                let key = String::from_utf8_lossy(key);
                return Err(io::Error::other(format!("tar cannot hold the attribute `{key}`")));
            }
            pax::append(&mut records, &[pax::XATTR, key].concat(), value);
        }
        if !records.is_empty() {
            self.records(&records)?;
        }
        header.set_cksum();
        self.to.write_all(header.as_bytes())
    }

    /// Writes a part of the last member's content.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    /// Writes the mark that ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.pad()?;
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }

    fn records(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_path("PaxHeaders/0")?;
        header.set_mode(0o644);
        header.set_mtime(EPOCH.unsigned_abs());
        header.set_uid(0);
        header.set_gid(0);
        header.set_device_major(0)?;
        header.set_device_minor(0)?;
        header.set_size(records.len() as u64);
        header.set_entry_type(EntryType::XHeader);
        header.set_cksum();
        self.to.write_all(header.as_bytes())?;
        self.to.write_all(records)?;
        self.to.write_all(padding(records.len() as u64))
    }

    fn pad(&mut self) -> io::Result<()> {
        let content = std::mem::take(&mut self.content);
        self.to.write_all(padding(content))
    }
}

fn padding(content: u64) -> &'static [u8] {
    let over = (content % BLOCK as u64) as usize;
    if over == 0 { &[] } else { &[0; BLOCK][over..] }
}

/// A name as prefix and name of a plain header, if it fits.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    // The last byte may be the slash of a directory, which is no place to split.
    let slash = (0..name.len() - 1)
        .rev()
        .filter(|at| name[*at] == b'/')
        .find(|at| *at <= 155 && name.len() - at - 1 <= 100)?;
    (slash > 0).then(|| (&name[..slash], &name[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_split_where_both_parts_fit() {
        let short = vec![b'a'; 100];
        assert_eq!(split(&short), Some((&b""[..], &short[..])));
        let long = [vec![b'a'; 150], b"/".to_vec(), vec![b'b'; 100]].concat();
        assert_eq!(split(&long), Some((&long[..150], &long[151..])));
        assert_eq!(split(&[b'a'; 101]), None);
        let directory = [vec![b'a'; 120], b"/".to_vec()].concat();
        assert_eq!(split(&directory), None, "the trailing slash is part of the name");
    }

    #[test]
    fn padding_fills_the_last_block() {
        assert_eq!(padding(0).len(), 0);
        assert_eq!(padding(1).len(), 511);
        assert_eq!(padding(512).len(), 0);
        assert_eq!(padding(513).len(), 511);
    }
}
