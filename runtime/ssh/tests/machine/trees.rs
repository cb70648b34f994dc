//! Archives of files that exist only in memory.

use kiln_ssh::{Archive, Directories, Ids, Op, Owner, Unpack};
use std::io::{self, Read};
use tar::{Builder, EntryType, Header};

pub fn header(kind: EntryType, mode: u32, size: u64, ids: Ids) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(ids.uid.into());
    header.set_gid(ids.gid.into());
    header.set_mtime(1_577_836_800);
    header
}

/// The beginning of a file of this size.
pub fn begun(path: &str, size: u64, ids: Ids) -> Header {
    let mut header = header(EntryType::Regular, 0o644, size, ids);
    header.set_path(path).unwrap();
    header.set_cksum();
    header
}

/// Files by path, mode and content. A path that ends in `/` is a directory, `->` in the content a link.
pub fn archive(files: &[(&str, u32, &str)]) -> Archive {
    let files: Vec<(String, u32, String)> = files
        .iter()
        .map(|(path, mode, text)| (path.to_string(), *mode, text.to_string()))
        .collect();
    Archive::new(move |to, ids| {
        let mut tar = Builder::new(to);
        for (path, mode, text) in &files {
            if path.ends_with('/') {
                let mut header = header(EntryType::Directory, *mode, 0, ids);
                tar.append_data(&mut header, path, io::empty())?;
            } else if let Some(target) = text.strip_prefix("->") {
                let mut header = header(EntryType::Symlink, 0o777, 0, ids);
                tar.append_link(&mut header, path, target)?;
            } else {
                let mut header = header(EntryType::Regular, *mode, text.len() as u64, ids);
                tar.append_data(&mut header, path, text.as_bytes())?;
            }
        }
        tar.finish()
    })
}

/// One file of this many bytes; `random` does not compress.
pub fn large(name: &str, size: u64, random: bool) -> Archive {
    let name = name.to_owned();
    Archive::new(move |to, ids| {
        let mut tar = Builder::new(to);
        let mut header = header(EntryType::Regular, 0o644, size, ids);
        tar.append_data(&mut header, &name, Content { state: 1, random }.take(size))?;
        tar.finish()
    })
}

/// Bytes that are the same each time.
pub struct Content {
    pub state: u64,
    pub random: bool,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for bytes in buffer.chunks_mut(8) {
            // xorshift64
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let word = if self.random { self.state } else { self.state & 0x0101_0000_0000_0000 };
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(buffer.len())
    }
}

/// What [`large`] has written, as `cksum`-like digest of a reader: compared byte by byte.
pub fn is_large(mut file: impl Read, size: u64, random: bool) -> bool {
    let mut expected = Content { state: 1, random }.take(size);
    let (mut a, mut b) = (vec![0; 8 << 10], vec![0; 8 << 10]);
    loop {
        let wanted = read_full(&mut expected, &mut a);
        let found = read_full(&mut file, &mut b);
        if a[..wanted] != b[..found] {
            return false;
        }
        if wanted == 0 {
            return true;
        }
    }
}

fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut count = 0;
    while count < buffer.len() {
        match from.read(&mut buffer[count..]).unwrap() {
            0 => break,
            more => count += more,
        }
    }
    count
}

pub fn unpack(into: &str, archive: Archive) -> Op {
    Op::Unpack(Unpack {
        into: into.into(),
        owner: Owner::root(),
        directories: Directories::Keep,
        archive,
    })
}

/// An archive that fails after this many bytes.
pub fn failing(after: u64) -> Archive {
    Archive::new(move |to, ids| {
        to.write_all(begun("file", after * 2, ids).as_bytes())?;
        io::copy(&mut Content { state: 1, random: true }.take(after), to)?;
        Err(io::Error::other("`site/index.html` changed while it was read"))
    })
}
