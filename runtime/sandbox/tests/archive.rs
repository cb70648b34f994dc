//! Archives from outside: what is kept, and what is refused.

#![expect(clippy::unwrap_used, reason = "what tests prepare must succeed")]

use kiln_sandbox::archive::{EPOCH, Whiteouts, open, unpack};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tar::{EntryType, Header};

/// An archive, byte by byte, with names that no well-meaning writer lets through.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn member(mut self, kind: EntryType, name: &[u8], link: &[u8], content: &[u8]) -> Self {
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

    fn file(self, name: &str, content: &str) -> Self {
        self.member(EntryType::Regular, name.as_bytes(), b"", content.as_bytes())
    }

    fn directory(self, name: &str) -> Self {
        self.member(EntryType::Directory, name.as_bytes(), b"", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.member(EntryType::Symlink, name.as_bytes(), target.as_bytes(), b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.member(EntryType::Link, name.as_bytes(), target.as_bytes(), b"")
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
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

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A directory to unpack into, inside one whose other content must stay as it is.
struct Place {
    outer: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("root")).unwrap();
        fs::write(outer.path().join("victim"), "untouched").unwrap();
        Self { outer }
    }

    fn root(&self) -> PathBuf {
        self.outer.path().join("root")
    }

    fn unpack(&self, archive: &[u8], whiteouts: Whiteouts) -> Result<(), kiln_engine::Error> {
        let result = unpack(Cursor::new(archive), &self.root(), whiteouts);
        self.assert_nothing_outside();
        result
    }

    fn refusal(&self, archive: &[u8], whiteouts: Whiteouts) -> String {
        self.unpack(archive, whiteouts).expect_err("must be refused").chain()
    }

    fn assert_nothing_outside(&self) {
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
fn assert_refused(archive: Vec<u8>, words: &[&str]) {
    let place = Place::new();
    let message = place.refusal(&archive, Whiteouts::Oci);
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 256];
    match rustix::fs::lgetxattr(path, name, &mut buffer) {
        Ok(length) => Some(buffer[..length].to_vec()),
        Err(_) => None,
    }
}

#[test]
fn members_that_climb_out_are_refused() {
    assert_refused(
        Archive::default().file("ok", "x").file("a/../../victim", "x").end(),
        &["`a/../../victim`", "byte 1024", "`..`"],
    );
    assert_refused(Archive::default().file("../victim", "x").end(), &["`../victim`", "byte 0"]);
    assert_refused(Archive::default().directory("..").end(), &["`..`"]);
}

#[test]
fn absolute_members_are_refused() {
    assert_refused(
        Archive::default().file("/etc/victim", "x").end(),
        &["`/etc/victim`", "absolute"],
    );
    assert_refused(
        Archive::default().pax(&[("path", b"/etc/victim")]).file("innocent", "x").end(),
        &["`/etc/victim`", "absolute"],
    );
}

#[test]
fn members_behind_a_link_that_leads_out_are_refused() {
    for target in ["..", "/", "../../x", "a/../..", "/proc/self/root"] {
        assert_refused(
            Archive::default().symlink("link", target).file("link/victim", "x").end(),
            &["`link/victim`", "byte 512", "link `link`"],
        );
    }
    // A link to a link.
    assert_refused(
        Archive::default().symlink("a", "b").symlink("b", "..").file("a/victim", "x").end(),
        &["`a/victim`"],
    );
    // In a circle.
    assert_refused(
        Archive::default().symlink("a", "b").symlink("b", "a").file("a/x", "x").end(),
        &["`a/x`"],
    );
}

#[test]
fn a_member_replaces_a_link_of_its_own_name_and_does_not_follow_it() {
    let place = Place::new();
    let archive = Archive::default().symlink("link", "../victim").file("link", "new").end();
    place.unpack(&archive, Whiteouts::Oci).unwrap();
    assert_eq!(fs::read_to_string(place.root().join("link")).unwrap(), "new");
    let archive =
        Archive::default().symlink("dir", "..").directory("dir").file("dir/victim", "in").end();
    place.unpack(&archive, Whiteouts::Oci).unwrap();
    assert_eq!(fs::read_to_string(place.root().join("dir/victim")).unwrap(), "in");
}

#[test]
fn members_behind_a_link_that_stays_below_are_put_where_it_leads() {
    let place = Place::new();
    let archive = Archive::default()
        .directory("usr/lib")
        .symlink("lib", "usr/lib")
        .file("lib/x", "1")
        .symlink("usr/up", "../var/log")
        .file("usr/up/y", "2")
        .end();
    place.unpack(&archive, Whiteouts::Oci).unwrap();
    assert_eq!(fs::read_to_string(place.root().join("usr/lib/x")).unwrap(), "1");
    assert_eq!(fs::read_to_string(place.root().join("var/log/y")).unwrap(), "2");
}

#[test]
fn hard_links_to_outside_are_refused() {
    for target in ["../victim", "/etc/passwd", "a/../../victim"] {
        assert_refused(
            Archive::default().hard_link("a", target).end(),
            &["`a`", "byte 0", "hard link"],
        );
    }
    assert_refused(
        Archive::default().symlink("up", "..").hard_link("a", "up/victim").end(),
        &["`a`", "`up`"],
    );
    assert_refused(Archive::default().hard_link("a", "missing").end(), &["`missing`", "not there"]);
    assert_refused(Archive::default().directory("d").hard_link("a", "d").end(), &["no file"]);
}

#[test]
fn a_hard_link_to_a_link_does_not_reach_what_it_names() {
    let place = Place::new();
    let archive =
        Archive::default().symlink("s", "../victim").hard_link("h", "s").file("h", "x").end();
    place.unpack(&archive, Whiteouts::Oci).unwrap();
    assert_eq!(fs::read_link(place.root().join("s")).unwrap(), Path::new("../victim"));
}

#[test]
fn names_beyond_the_limit_are_refused() {
    let long = "a/".repeat(2049);
    assert_refused(
        Archive::default().pax(&[("path", long.as_bytes())]).file("x", "x").end(),
        &["byte 0", "4098 bytes", "4096"],
    );
    let long = "a".repeat(300);
    assert_refused(
        Archive::default().pax(&[("path", long.as_bytes())]).file("x", "x").end(),
        &["too long a name"],
    );
}

#[test]
fn headers_beyond_the_limit_are_refused_before_they_are_read() {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_size(1 << 40);
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend_from_slice(&[b'x'; 4096]);
    assert_refused(archive, &["byte 512", "1048576 bytes"]);
}

#[test]
fn whiteouts_that_name_no_file_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "a/.wh...", ".wh.../x", ".wh.a/x"] {
        assert_refused(Archive::default().file(name, "").end(), &["whiteout", name]);
    }
}

#[test]
fn attributes_and_devices_of_an_overlay_are_refused() {
    assert_refused(
        Archive::default()
            .pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")])
            .directory("d")
            .end(),
        &["`d`", "trusted.overlay.redirect"],
    );
    let mut archive = Archive::default().member(EntryType::Char, b"dev", b"", b"").0;
    let mut header = Header::new_ustar();
    header.as_mut_bytes().copy_from_slice(&archive[..512]);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    archive[..512].copy_from_slice(header.as_bytes());
    archive.extend_from_slice(&[0; 1024]);
    assert_refused(archive, &["`dev`", "0:0"]);
}

#[test]
fn truncated_archives_are_refused_wherever_they_end() {
    let archive = Archive::default().directory("d").file("d/f", &"x".repeat(700)).end();
    let members = archive.len() - 1024;
    for end in (0..members + 512).step_by(100) {
        let place = Place::new();
        let message = place.refusal(&archive[..end], Whiteouts::Oci);
        assert!(message.contains("byte"), "{end}: {message}");
    }
}

#[test]
fn compressed_archives_are_told_apart_and_truncated_ones_refused() {
    let archive = Archive::default().file("f", &"content ".repeat(2000)).end();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&archive).unwrap();
    let forms = [
        ("plain", archive.clone()),
        ("gzip", gzip.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zstd", zstd::encode_all(&archive[..], 1).unwrap()),
    ];
    for (name, bytes) in forms {
        let place = Place::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        unpack(open(file.path()).unwrap(), &place.root(), Whiteouts::None).unwrap();
        assert_eq!(fs::read(place.root().join("f")).unwrap().len(), 16_000, "{name}");

        let place = Place::new();
        fs::write(file.path(), &bytes[..bytes.len() / 2]).unwrap();
        let error = open(file.path())
            .and_then(|reader| unpack(reader, &place.root(), Whiteouts::None))
            .expect_err(name);
        assert!(error.chain().contains("byte"), "{name}: {}", error.chain());

        let place = Place::new();
        let mut damaged = bytes.clone();
        // The check sum at the end of a gzip stream; plain tar has none.
        if name == "gzip" {
            let end = damaged.len() - 6;
            damaged[end] ^= 1;
            fs::write(file.path(), &damaged).unwrap();
            unpack(open(file.path()).unwrap(), &place.root(), Whiteouts::None).expect_err(name);
        }
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    assert_refused(vec![b'x'; 2000], &["byte 0", "no tar header"]);
    assert_refused(Vec::new(), &["byte 0"]);
}

#[test]
fn of_two_members_with_one_name_the_last_wins() {
    let place = Place::new();
    let archive = Archive::default()
        .file("f", "first")
        .file("./f", "second")
        .directory("d/sub")
        .file("d/sub/x", "x")
        .file("d", "no directory any more")
        .file("e", "x")
        .directory("e")
        .file("e/y", "y")
        .end();
    place.unpack(&archive, Whiteouts::None).unwrap();
    assert_eq!(fs::read_to_string(place.root().join("f")).unwrap(), "second");
    assert_eq!(fs::read_to_string(place.root().join("d")).unwrap(), "no directory any more");
    assert_eq!(fs::read_to_string(place.root().join("e/y")).unwrap(), "y");
}

#[test]
fn whiteouts_become_those_of_the_overlay_file_system() {
    let place = Place::new();
    let archive = Archive::default()
        .file("a/.wh.gone", "")
        .file("o/.wh..wh..opq", "")
        .file("o/new", "x")
        .file(".wh.replaced", "")
        .directory("replaced")
        .file(".wh..wh.plnk", "")
        .end();
    place.unpack(&archive, Whiteouts::Oci).unwrap();
    let gone = fs::symlink_metadata(place.root().join("a/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(xattr(&place.root().join("o"), "trusted.overlay.opaque").unwrap(), b"y");
    assert_eq!(xattr(&place.root().join("a"), "trusted.overlay.opaque"), None);
    // Removed and made anew: it hides what was in it.
    assert_eq!(xattr(&place.root().join("replaced"), "trusted.overlay.opaque").unwrap(), b"y");
    assert!(!place.root().join(".wh..wh.plnk").exists());
}

#[test]
fn without_whiteouts_their_names_are_names() {
    let place = Place::new();
    place.unpack(&Archive::default().file(".wh.x", "1").end(), Whiteouts::None).unwrap();
    assert_eq!(fs::read_to_string(place.root().join(".wh.x")).unwrap(), "1");
}

#[test]
fn owners_modes_attributes_devices_and_times_are_kept_or_set() {
    let place = Place::new();
    // VFS_CAP_REVISION_2 with CAP_NET_RAW, effective (linux/capability.h).
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let archive = Archive::default()
        .pax(&[
            ("uid", b"3000000000"),
            ("gid", b"65534"),
            ("SCHILY.xattr.user.note", b"a\nb=c"),
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.security.selinux", b"of another machine"),
        ])
        .file("f", "x")
        .member(EntryType::Char, b"null", b"", b"")
        .member(EntryType::Block, b"block", b"", b"")
        .member(EntryType::Fifo, b"pipe", b"", b"")
        .hard_link("g", "f")
        .symlink("s", "/anywhere")
        .end();
    let mut archive = archive;
    // The mode of the first file: set-user-ID must survive the change of owner.
    let at = archive.chunks(512).position(|block| &block[..2] == b"f\0").unwrap() * 512;
    let mut header = Header::new_ustar();
    header.as_mut_bytes().copy_from_slice(&archive[at..at + 512]);
    header.set_mode(0o4755);
    header.set_cksum();
    archive[at..at + 512].copy_from_slice(header.as_bytes());
    place.unpack(&archive, Whiteouts::None).unwrap();

    let file = fs::metadata(place.root().join("f")).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (3_000_000_000, 65534, 0o4755));
    assert_eq!(file.ino(), fs::metadata(place.root().join("g")).unwrap().ino());
    assert_eq!(xattr(&place.root().join("f"), "user.note").unwrap(), b"a\nb=c");
    assert_eq!(xattr(&place.root().join("f"), "security.capability").unwrap(), capability);
    assert_eq!(xattr(&place.root().join("f"), "security.selinux"), None);
    let null = fs::symlink_metadata(place.root().join("null")).unwrap();
    assert!(null.file_type().is_char_device());
    assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
    assert!(
        fs::symlink_metadata(place.root().join("block")).unwrap().file_type().is_block_device()
    );
    assert!(fs::symlink_metadata(place.root().join("pipe")).unwrap().file_type().is_fifo());
    for name in ["f", "null", "pipe", "s", ""] {
        let metadata = fs::symlink_metadata(place.root().join(name)).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (EPOCH, 0), "{name}");
    }
}

/// GNU tar is part of every Debian.
fn gnu_tar(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("tar").args(arguments).output().expect("install `tar`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn files_with_holes_and_long_names_of_every_format_are_read() {
    let source = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    fs::create_dir(source.path().join("d".repeat(200))).unwrap();
    fs::write(source.path().join(&long), "long").unwrap();
    std::os::unix::fs::symlink("t".repeat(300), source.path().join("link")).unwrap();
    // More parts than a first header has room for.
    let mut content = vec![0; 40 << 16];
    for part in 0..40 {
        content[part << 16] = b'x';
    }
    let holes = fs::File::create(source.path().join("holes")).unwrap();
    for part in 0..40_u64 {
        std::os::unix::fs::FileExt::write_at(&holes, b"x", part << 16).unwrap();
    }
    holes.set_len(content.len() as u64).unwrap();
    let blocks = holes.metadata().unwrap().blocks();
    assert!(blocks * 512 < content.len() as u64, "the file system of the test has no holes");

    let directory = source.path().to_str().unwrap();
    let formats: [&[&str]; 4] = [
        &["--format=gnu"],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ];
    for format in formats {
        let mut arguments = vec!["-S", "-C", directory, "-c"];
        arguments.extend(format);
        arguments.push(".");
        let archive = gnu_tar(&arguments);
        assert!(archive.len() < content.len(), "{format:?} has stored the holes");
        let place = Place::new();
        place.unpack(&archive, Whiteouts::None).unwrap();
        assert_eq!(fs::read_to_string(place.root().join(&long)).unwrap(), "long", "{format:?}");
        let target = fs::read_link(place.root().join("link")).unwrap();
        assert_eq!(target.as_os_str().len(), 300, "{format:?}");
        assert!(fs::read(place.root().join("holes")).unwrap() == content, "{format:?}");
        let unpacked = fs::metadata(place.root().join("holes")).unwrap();
        assert_eq!(unpacked.blocks(), blocks, "{format:?} has filled the holes");
    }
}

#[test]
fn a_tree_of_gnu_tar_arrives_as_it_was() {
    let archive = gnu_tar(&["--xattrs", "--numeric-owner", "-C", "/", "-c", "etc"]);
    let place = Place::new();
    place.unpack(&archive, Whiteouts::None).unwrap();
    let differences = Command::new("diff")
        .args(["--no-dereference", "-r", "/etc"])
        .arg(place.root().join("etc"))
        .output()
        .expect("install `diffutils`");
    assert!(differences.status.success(), "{}", String::from_utf8_lossy(&differences.stdout));
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let component = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| name.as_bytes().to_vec()),
        2 => prop::sample::select(vec!["..", ".", "", ".wh.a", ".wh..wh..opq", ".wh...", "victim"])
            .prop_map(|name| name.as_bytes().to_vec()),
        1 => prop::collection::vec(1_u8.., 1..6),
    ];
    prop::collection::vec(component, 1..5).prop_map(|components| components.join(&b'/'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_names_and_links_create_anything_outside(
        members in prop::collection::vec((0_u8..5, name(), name()), 1..12),
        oci in any::<bool>(),
    ) {
        let mut archive = Archive::default();
        for (kind, name, link) in &members {
            let (kind, content): (_, &[u8]) = match kind {
                0 => (EntryType::Regular, b"harm"),
                1 => (EntryType::Directory, b""),
                2 => (EntryType::Symlink, b""),
                3 => (EntryType::Link, b""),
                _ => (EntryType::Fifo, b""),
            };
            archive = archive.member(kind, name, link, content);
        }
        let place = Place::new();
        let whiteouts = if oci { Whiteouts::Oci } else { Whiteouts::None };
        // Either is right; what it must not do is asserted inside.
        let _ = place.unpack(&archive.end(), whiteouts);
    }

    #[test]
    fn damaged_archives_end_in_an_error_or_below_the_root(
        flips in prop::collection::vec((0_usize..4096, any::<u8>()), 1..8)
    ) {
        let mut bytes = Archive::default()
            .directory("d")
            .pax(&[("SCHILY.xattr.user.x", b"y"), ("path", b"d/long")])
            .file("d/f", "content")
            .symlink("d/s", "f")
            .hard_link("d/h", "d/f")
            .end();
        let length = bytes.len();
        for (at, value) in flips {
            bytes[at % length] = value;
        }
        // The checksums are made right again, so that damage gets past them.
        for at in (0..length).step_by(512) {
            if bytes[at + 257..at + 262] == *b"ustar" {
                let mut header = Header::new_old();
                header.as_mut_bytes().copy_from_slice(&bytes[at..at + 512]);
                header.set_cksum();
                bytes[at..at + 512].copy_from_slice(header.as_bytes());
            }
        }
        let place = Place::new();
        let _ = place.unpack(&bytes, Whiteouts::Oci);
    }
}

#[test]
fn members_are_read_as_they_come() {
    // A reader that hands out one byte at a time: no part may rely on full reads.
    struct Slow<R>(R);
    impl<R: Read> Read for Slow<R> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }
    let place = Place::new();
    let archive = Archive::default().file("f", "content").directory("d").end();
    unpack(Slow(Cursor::new(archive)), &place.root(), Whiteouts::Oci).unwrap();
    assert_eq!(fs::read_to_string(place.root().join("f")).unwrap(), "content");
    assert!(place.root().join(OsStr::from_bytes(b"d")).is_dir());
}
