//! Any bytes as an archive: nothing outside of the directory is made, and nothing panics.
//!
//! Checksums of headers are made right first, so that the fuzzer need not find them.

#![no_main]

use kiln_sandbox::archive::{Whiteouts, unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    let mut archive = bytes.to_vec();
    for block in archive.chunks_exact_mut(512) {
        let sum = block.iter().enumerate().fold(0_u32, |sum, (at, byte)| {
            sum + if (148..156).contains(&at) { 32 } else { u32::from(*byte) }
        });
        if block.iter().any(|byte| *byte != 0) {
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive.resize(archive.len() + 1024, 0);
    let outer = tempfile::tempdir().expect("a temporary directory");
    let root = outer.path().join("root");
    std::fs::create_dir(&root).expect("a directory");
    let whiteouts = if mode & 1 == 0 { Whiteouts::Oci } else { Whiteouts::None };
    let _ = unpack(&archive[..], &root, whiteouts);
    let made = std::fs::read_dir(outer.path()).expect("a directory").count();
    assert_eq!(made, 1, "written beside the root");
});
