//! What arrives as it was.

use crate::made::*;
use kiln_sandbox::archive::{EPOCH, Whiteouts};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;
use tar::{EntryType, Header};

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
