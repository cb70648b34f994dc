//! What is refused, and writes nothing outside.

use crate::made::*;
use kiln_sandbox::archive::{Whiteouts, open, unpack};
use std::fs;
use std::io::Write;
use std::path::Path;
use tar::{EntryType, Header};

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
