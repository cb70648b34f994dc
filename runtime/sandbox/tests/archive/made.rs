//! Archives made byte by byte, and places to unpack them into.

use kiln_sandbox::archive::{Whiteouts, unpack};
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// An archive, byte by byte, with names that no well-meaning writer lets through.
#[derive(Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

impl Archive {
    pub(crate) fn member(
        mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        content: &[u8],
    ) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_size(content.len() as u64);
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name);
        bytes[157..157 + link.len()].copy_from_slice(link);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.member(EntryType::Regular, name.as_bytes(), b"", content.as_bytes())
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.member(EntryType::Directory, name.as_bytes(), b"", b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.member(EntryType::Symlink, name.as_bytes(), target.as_bytes(), b"")
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.member(EntryType::Link, name.as_bytes(), target.as_bytes(), b"")
    }

    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length =
                (rest..).find(|length| length.to_string().len() + rest == *length).unwrap();
            write!(bytes, "{length} {key}=").unwrap();
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        self.member(EntryType::XHeader, b"PaxHeaders/0", b"", &bytes)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A directory to unpack into, inside one whose other content must stay as it is.
pub(crate) struct Place {
    pub(crate) outer: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("root")).unwrap();
        fs::write(outer.path().join("victim"), "untouched").unwrap();
        Self { outer }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.outer.path().join("root")
    }

    pub(crate) fn unpack(
        &self,
        archive: &[u8],
        whiteouts: Whiteouts,
    ) -> Result<(), kiln_engine::Error> {
        let result = unpack(Cursor::new(archive), &self.root(), whiteouts);
        self.assert_nothing_outside();
        result
    }

    pub(crate) fn refusal(&self, archive: &[u8], whiteouts: Whiteouts) -> String {
        self.unpack(archive, whiteouts).expect_err("must be refused").chain()
    }

    pub(crate) fn assert_nothing_outside(&self) {
        let mut names: Vec<_> = fs::read_dir(self.outer.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["root", "victim"], "written beside the root");
        let victim = self.outer.path().join("victim");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(fs::metadata(&victim).unwrap().nlink(), 1, "linked from the root");
    }
}

#[track_caller]
pub(crate) fn assert_refused(archive: Vec<u8>, words: &[&str]) {
    let place = Place::new();
    let message = place.refusal(&archive, Whiteouts::Oci);
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

pub(crate) fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 256];
    match rustix::fs::lgetxattr(path, name, &mut buffer) {
        Ok(length) => Some(buffer[..length].to_vec()),
        Err(_) => None,
    }
}
