//! Whatever a member is named, nothing is made outside; archives are read as they come.

use crate::made::*;
use kiln_sandbox::archive::{Whiteouts, unpack};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt;
use tar::{EntryType, Header};

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
